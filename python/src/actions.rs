//! Declared actions: cleanups that outlive the process, as somebody else can perform them (see
//! `lastly_journal`).
//!
//! Each is a function of this module, and nothing but a callback to all the rest of it. Called by a program,
//! it performs its action at once. As the callback of a finalizer it is never called: what it would be called
//! with is understood when the finalizer is made, and declared, so that what is wrong is told at once; and when
//! its turn comes, what was declared is performed.
//!
//! What is declared is known by the address of the finalizer's weak reference: that is made for each
//! registration, and lives as long as what it holds.
//!
//! # What never happens
//!
//! - Something declared is forgotten because its finalizer did not run: it is struck out where it was
//!   performed, or given up by who may ([`give_up`]).
//! - The interpreter's lock is kept during a system call for an action, or while the journal is locked.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicPtr};

use lastly_journal::Failure;
use lastly_journal::actions::{self, Action};
use lastly_journal::own::{self, Manner, Protection};
use pyo3::exceptions::{
    PyFileNotFoundError, PyOSError, PyProcessLookupError, PyRuntimeWarning, PyTypeError,
    PyValueError,
};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::attach::attached;
use crate::callback::{BoundCallback, Keywords};
use crate::class;
use crate::object::BoundContent;
use crate::parameters::Parameters;

/// One of these functions: what is the same in all its calls.
struct Function {
    parameters: Parameters,
    /// What the first argument says.
    subject: fn(&Bound<'_, PyAny>) -> PyResult<Subject>,
    unguessable: bool,
    /// The function itself, which lives for ever. Written once, when the module is imported.
    object: AtomicPtr<ffi::PyObject>,
}

/// What an action is about.
enum Subject {
    Tree(PathBuf),
    File(PathBuf),
    SharedMemory(OsString),
    Process(i32),
}

/// A call of such a function.
struct Call {
    subject: Subject,
    manner: Manner,
    ignore_errors: bool,
}

const IGNORE_ERRORS: &str = "ignore_errors";

static REMOVE_TREE: Function =
    Function::new("remove_tree", &["path", "sync", IGNORE_ERRORS], Subject::tree);
static REMOVE_FILE: Function = Function::new("remove_file", &["path", "sync"], Subject::file);
static UNLINK_SHARED_MEMORY: Function =
    Function::new("unlink_shared_memory", &["name", "sync"], Subject::shared_memory);
static KILL_PROCESS: Function = Function::new("kill_process", &["pid", "sync"], Subject::process);
static REMOVE_TEMPORARY_TREE: Function =
    Function::new("remove_temporary_tree", &["path", "sync", IGNORE_ERRORS], Subject::tree)
        .of_unguessable_names();
static REMOVE_TEMPORARY_FILE: Function =
    Function::new("remove_temporary_file", &["path", "sync"], Subject::file).of_unguessable_names();

static FUNCTIONS: [&Function; 6] = [
    &REMOVE_TREE,
    &REMOVE_FILE,
    &UNLINK_SHARED_MEMORY,
    &KILL_PROCESS,
    &REMOVE_TEMPORARY_TREE,
    &REMOVE_TEMPORARY_FILE,
];

/// Remove the directory at `path`, and all that is in it.
///
/// If it is not there, that is all right. As the callback of a finalizer it survives the process: then the guard
/// removes that very directory, and no other in its place. With `ignore_errors`, what cannot be removed is left,
/// in silence; with `sync`, it survives the machine, too. See `lastly.actions`.
#[pyfunction]
#[pyo3(
    signature = (*arguments, **keywords),
    text_signature = "(path, *, sync=False, ignore_errors=False)"
)]
pub(crate) fn remove_tree(
    arguments: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    REMOVE_TREE.perform(arguments, keywords)
}

/// The same for one that was made by `lastly.TemporaryDirectory`.
#[pyfunction]
#[pyo3(
    signature = (*arguments, **keywords),
    text_signature = "(path, *, sync=False, ignore_errors=False)"
)]
pub(crate) fn remove_temporary_tree(
    arguments: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    REMOVE_TEMPORARY_TREE.perform(arguments, keywords)
}

/// Remove the file at `path`, whatever it is, but for directories. Of a symbolic link, remove the link.
///
/// If it is not there, that is all right. As the callback of a finalizer it survives the process: then the guard
/// removes that very file, and no other in its place.
#[pyfunction]
#[pyo3(signature = (*arguments, **keywords), text_signature = "(path, *, sync=False)")]
pub(crate) fn remove_file(
    arguments: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    REMOVE_FILE.perform(arguments, keywords)
}

/// The same for one that was made by `lastly.NamedTemporaryFile`.
#[pyfunction]
#[pyo3(signature = (*arguments, **keywords), text_signature = "(path, *, sync=False)")]
pub(crate) fn remove_temporary_file(
    arguments: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    REMOVE_TEMPORARY_FILE.perform(arguments, keywords)
}

/// Remove the name of POSIX shared memory, with or without its slash. Who has it open keeps it.
///
/// If it is not there, that is all right. As the callback of a finalizer it survives the process. What
/// `multiprocessing.shared_memory` makes, it removes by a process of its own, too, unless it was made with
/// `track=False`.
#[pyfunction]
#[pyo3(signature = (*arguments, **keywords), text_signature = "(name, *, sync=False)")]
pub(crate) fn unlink_shared_memory(
    arguments: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    UNLINK_SHARED_MEMORY.perform(arguments, keywords)
}

/// Kill the process of this number by SIGKILL, and its group if it leads one.
///
/// As the callback of a finalizer it survives the process: then the guard kills that very process, and no other
/// that has got its number.
#[pyfunction]
#[pyo3(signature = (*arguments, **keywords), text_signature = "(pid, *, sync=False)")]
pub(crate) fn kill_process(
    arguments: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    KILL_PROCESS.perform(arguments, keywords)
}

impl Function {
    const fn new(
        function: &'static str,
        names: &'static [&'static str],
        subject: fn(&Bound<'_, PyAny>) -> PyResult<Subject>,
    ) -> Self {
        let parameters = Parameters { function, names };
        let object = AtomicPtr::new(ptr::null_mut());
        Self { parameters, subject, unguessable: false, object }
    }

    /// Nobody else comes upon the names of what this is called for.
    const fn of_unguessable_names(mut self) -> Self {
        self.unguessable = true;
        self
    }

    /// Which of these functions this is, if it is one. Of most functions, their type tells that they are not.
    #[inline]
    fn find(function: &Bound<'_, PyAny>) -> Option<&'static Self> {
        let is_native = function.get_type_ptr() == &raw mut ffi::PyCFunction_Type;
        if is_native { Self::find_native(function) } else { None }
    }

    #[cold]
    fn find_native(function: &Bound<'_, PyAny>) -> Option<&'static Self> {
        // Relaxed: see `begin`.
        FUNCTIONS.into_iter().find(|known| known.object.load(Relaxed) == function.as_ptr())
    }

    /// What a call with these arguments is about. What is wrong with them is told.
    fn understand<'py>(
        &self,
        values: &[Bound<'py, PyAny>],
        keywords: &Keywords<'_, 'py>,
    ) -> PyResult<Call> {
        let given = self.parameters.given(values, keywords)?;
        let sync = given.is_on("sync")?;
        let ignore_errors = given.is_on(IGNORE_ERRORS)?;
        // Last: this may run code of the program's.
        let subject = given.first(self.subject)?;
        Ok(Call { subject, manner: Manner { sync, unguessable: self.unguessable }, ignore_errors })
    }

    /// A program calls it.
    fn perform(
        &self,
        arguments: &Bound<'_, PyTuple>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let py = arguments.py();
        let keywords = keywords.map_or(Keywords::None, Keywords::Dict);
        let Call { subject, ignore_errors, .. } =
            self.understand(arguments.as_slice(), &keywords)?;
        let done = py.detach(|| own::perform(|| subject.declare())).map_err(error);
        unless_ignored(py, done, || ignore_errors)
    }

    /// It is the callback of a finalizer, which is being made.
    #[cold]
    fn declare(&self, weakref: &Bound<'_, PyAny>, callback: &BoundCallback<'_>) -> PyResult<()> {
        let (py, key) = (weakref.py(), key(weakref));
        let Call { subject, manner, .. } =
            self.understand(callback.values(), &callback.keywords())?;
        tell_program(py);
        let trouble =
            py.detach(|| subject.declare().map(|action| own::declare(key, action, manner)));
        match trouble {
            // To declare something is to say that there is something to remove: no error is ignored.
            Err(failure) => Err(subject.error(py, failure)),
            // If that is an error, it is not declared.
            Ok(Some(trouble)) => {
                warn(py, &trouble).inspect_err(|_| tell(py, py.detach(|| own::cancel(key))))
            }
            Ok(None) => Ok(()),
        }
    }

    /// It is the callback of a finalizer, whose turn has come. What was declared is performed, whatever its
    /// arguments are by now.
    #[cold]
    fn perform_declared(&self, content: &BoundContent<'_>) -> PyResult<()> {
        let (py, key) = (content.weakref.py(), key(&content.weakref));
        // Nothing of the interpreter's in between: a daemon thread may not come back from there.
        let done = py.detach(|| {
            let _turn = own::turn(key);
            own::perform(|| unreachable!("it is this thread's turn"))
        });
        unless_ignored(py, done.map_err(error), || {
            let callback = &content.callback;
            let given = self.parameters.given(callback.values(), &callback.keywords());
            given.and_then(|given| given.is_on(IGNORE_ERRORS)).unwrap_or(false)
        })
    }
}

/// Leaves out what the system has said, if it is to be.
fn unless_ignored(
    py: Python<'_>,
    done: PyResult<()>,
    is_to_be: impl FnOnce() -> bool,
) -> PyResult<()> {
    match done {
        Err(error) if error.is_instance_of::<PyOSError>(py) && is_to_be() => Ok(()),
        done => done,
    }
}

impl Subject {
    fn tree(path: &Bound<'_, PyAny>) -> PyResult<Self> {
        path_of(path).map(Self::Tree)
    }

    fn file(path: &Bound<'_, PyAny>) -> PyResult<Self> {
        path_of(path).map(Self::File)
    }

    fn shared_memory(name: &Bound<'_, PyAny>) -> PyResult<Self> {
        name.extract().map(Self::SharedMemory)
    }

    fn process(pid: &Bound<'_, PyAny>) -> PyResult<Self> {
        pid.extract().map(Self::Process)
    }

    fn declare(&self) -> Result<Box<dyn Action>, Failure> {
        match self {
            Self::Tree(path) => actions::remove_tree::declare(path),
            Self::File(path) => actions::remove_file::declare(path),
            Self::SharedMemory(name) => actions::unlink_shared_memory::declare(name),
            Self::Process(pid) => actions::kill_process::declare(*pid),
        }
    }

    /// Why it was not declared.
    fn error(&self, py: Python<'_>, failure: Failure) -> PyErr {
        let error = error(failure);
        match self {
            Self::Process(pid) if error.is_instance_of::<PyFileNotFoundError>(py) => {
                let text = format!("process {pid}: there is none");
                PyProcessLookupError::new_err((libc::ESRCH, text))
            }
            _ => error,
        }
    }
}

/// What the system says is an `OSError`; a `ValueError`, what it was not even asked.
fn error(failure: Failure) -> PyErr {
    let Failure { refused, code, .. } = failure;
    let error = io::Error::from(failure);
    let text = error.to_string();
    let code = match error.kind() {
        _ if refused => return PyValueError::new_err(text),
        _ if code.is_some() => code,
        ErrorKind::InvalidInput => return PyValueError::new_err(text),
        ErrorKind::NotFound => Some(libc::ENOENT),
        ErrorKind::NotADirectory => Some(libc::ENOTDIR),
        ErrorKind::PermissionDenied => Some(libc::EACCES),
        _ => None,
    };
    match code {
        // Others ask for that.
        Some(libc::ENOENT) => PyFileNotFoundError::new_err((libc::ENOENT, text)),
        // By its number, it is of the subclass that says so.
        Some(code) => PyOSError::new_err((code, text)),
        None => error.into(),
    }
}

/// Tells that what is declared is not protected as it should be.
#[cold]
fn warn(py: Python<'_>, trouble: &str) -> PyResult<()> {
    let message = CString::new(trouble.replace('\0', "\\0"))?;
    PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &message, 1)
}

/// The same, of what has happened all the same if a warning is an error.
fn tell(py: Python<'_>, trouble: Option<String>) {
    if let Some(error) = trouble.and_then(|trouble| warn(py, &trouble).err()) {
        error.write_unraisable(py, None);
    }
}

/// Tells the journal where the guard's program is. When something is declared: most programs never do.
fn tell_program(py: Python<'_>) {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    // Relaxed: attached.
    if IS_TOLD.swap(true, Relaxed) {
        return;
    }
    let folder = py.import("lastly").and_then(|package| {
        let folder: PathBuf = package.getattr("__path__")?.get_item(0)?.extract()?;
        Ok(std::path::absolute(folder.join("_bin/lastly"))?)
    });
    // If that is nowhere, it is looked for where programs are.
    if let Ok(program) = folder {
        py.detach(|| own::set_guard(Some(program)));
    }
}

/// What `os.fspath` makes of it, and of that `os.fsencode`.
fn path_of(path: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    // SAFETY: an object; the thread is attached.
    let named = unsafe { ffi::PyOS_FSPath(path.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let path = unsafe { Bound::from_owned_ptr_or_err(path.py(), named) }?;
    let path: PathBuf = match path.cast::<PyBytes>() {
        Ok(bytes) => OsStr::from_bytes(bytes.as_bytes()).into(),
        Err(_) => path.extract::<OsString>()?.into(),
    };
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(PyValueError::new_err("embedded null byte"));
    }
    Ok(path)
}

/// To be called when the module has its functions.
pub(crate) fn begin(module: &Bound<'_, PyModule>) -> PyResult<()> {
    for known in FUNCTIONS {
        let function = module.getattr(known.parameters.function)?;
        // Where programs find it; reports and pickles say so.
        if !known.unguessable {
            function.setattr("__module__", "lastly")?;
        }
        // Relaxed: attached, as whoever reads it is.
        known.object.store(function.into_ptr(), Relaxed);
    }
    Ok(())
}

/// Whether this is one of these functions.
#[inline]
pub(crate) fn is_one(function: &Bound<'_, PyAny>) -> bool {
    Function::find(function).is_some()
}

/// Under which key something was declared.
fn key(weakref: &Bound<'_, PyAny>) -> usize {
    weakref.as_ptr() as usize
}

/// Declares what this callback is to do, if it is such a function. If this fails, nothing is declared.
#[inline]
pub(crate) fn declare(weakref: &Bound<'_, PyAny>, callback: &BoundCallback<'_>) -> PyResult<()> {
    match Function::find(&callback.function) {
        Some(function) => attached(weakref.py(), || function.declare(weakref, callback)),
        None => Ok(()),
    }
}

/// Runs this callback: what it declared, if it is such a function.
#[inline]
pub(crate) fn run<'py>(content: &BoundContent<'py>) -> PyResult<Bound<'py, PyAny>> {
    match Function::find(&content.callback.function) {
        Some(function) => {
            let py = content.weakref.py();
            attached(py, || function.perform_declared(content))?;
            Ok(py.None().into_bound(py))
        }
        None => content.callback.call(),
    }
}

/// The callback will not run: nor is anybody else to do what it declared. Other threads run meanwhile.
#[inline]
pub(crate) fn give_up(content: &BoundContent<'_>) {
    if is_one(&content.callback.function) {
        let key = key(&content.weakref);
        let py = content.weakref.py();
        tell(py, py.detach(|| own::cancel(key)));
    }
}

/// Whether the end of the program is to run this, by whomever. `content` is that of a live one.
#[inline]
pub(crate) fn set_at_exit(content: &BoundContent<'_>, on: bool) {
    if is_one(&content.callback.function) {
        let key = key(&content.weakref);
        let py = content.weakref.py();
        tell(py, py.detach(|| own::set_at_exit(key, on)));
    }
}

/// The end of the program has run what it does.
pub(crate) fn end(py: Python<'_>) {
    py.detach(own::end);
}

/// Whether what a finalizer declared before it was made is there by now. From then on it is that, and no
/// other of its name, that will be removed. False of a finalizer that is dead, or declared nothing.
#[pyfunction]
#[pyo3(signature = (finalizer, /))]
pub(crate) fn confirm(finalizer: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Some(instance) = class::instance(finalizer)? else {
        let kind = finalizer.get_type().qualname()?;
        return Err(PyTypeError::new_err(format!("a finalizer is needed, not {kind}")));
    };
    let Some(content) = instance.kept() else { return Ok(false) };
    if !is_one(&content.callback.function) {
        return Ok(false);
    }
    let key = key(&content.weakref);
    finalizer.py().detach(|| own::confirm(key)).map_err(error)
}

/// What performs the declared actions of this process if it is killed: "guard"; "sweep: …", as there is no
/// guard, for that reason; or "nothing: …".
#[pyfunction]
pub(crate) fn protection(py: Python<'_>) -> String {
    tell_program(py);
    match py.detach(own::protection) {
        Protection::Guard => "guard".to_owned(),
        Protection::Sweep(why) => format!("sweep: {why}"),
        Protection::Nothing(why) => format!("nothing: {why}"),
    }
}

/// A name that nobody else comes upon.
#[pyfunction]
pub(crate) fn unguessable_name() -> PyResult<String> {
    Ok(own::unguessable_name()?)
}
