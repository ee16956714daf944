//! Declared actions: cleanups that outlive the process, as somebody else can perform them (see
//! `lastly_journal`).
//!
//! Each is a function of this module, and nothing but a callback to all the rest of it. Called by a program,
//! it performs its action at once. As the callback of a finalizer, it is called twice: when the finalizer is
//! made, to declare, and when its turn comes, to perform what it declared. So the arguments are understood in
//! one place, and what is wrong with them is told at once. Which of the three it is, it is told past its
//! arguments ([`Asked`]).
//!
//! What is declared is known by the address of the finalizer's weak reference: that is made for each
//! registration, and lives as long as what it holds.
//!
//! # What never happens
//!
//! - Something declared is forgotten because its finalizer did not run: it is struck out where it was
//!   performed, or given up by who may ([`give_up`]).
//! - The interpreter's lock is kept during a system call for an action, or while the journal is locked.

use std::cell::Cell;
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
use pyo3::types::PyBytes;

use crate::callback::BoundCallback;
use crate::class;
use crate::object::BoundContent;

/// What a function of ours is called for.
#[derive(Clone, Copy)]
enum Asked {
    /// By a program: to perform the action.
    ToPerform,
    /// To declare it by this key.
    ToDeclare(usize),
    /// To perform what was declared by this key.
    InTurn(usize),
}

thread_local! {
    /// What the next call of a function of ours is for. That function takes it first of all: until then
    /// no foreign code runs, which might call another.
    static ASKED: Cell<Asked> = const { Cell::new(Asked::ToPerform) };
}

/// Remove the directory at `path`, and all that is in it.
///
/// If it is not there, that is all right. As the callback of a finalizer it survives the process: then the guard
/// removes that very directory, and no other in its place. With `ignore_errors`, what cannot be removed is left,
/// in silence; with `sync`, it survives the machine, too. See `lastly.actions`.
#[pyfunction]
#[pyo3(signature = (path, *, sync=false, ignore_errors=false))]
pub(crate) fn remove_tree(
    path: &Bound<'_, PyAny>,
    sync: bool,
    ignore_errors: bool,
) -> PyResult<()> {
    let manner = Manner { sync, unguessable: false };
    tree(path, manner, ignore_errors)
}

/// The same for one that was made by `lastly.TemporaryDirectory`.
#[pyfunction]
#[pyo3(signature = (path, *, sync=false, ignore_errors=false))]
pub(crate) fn remove_temporary_tree(
    path: &Bound<'_, PyAny>,
    sync: bool,
    ignore_errors: bool,
) -> PyResult<()> {
    let manner = Manner { sync, unguessable: true };
    tree(path, manner, ignore_errors)
}

fn tree(path: &Bound<'_, PyAny>, manner: Manner, ignore_errors: bool) -> PyResult<()> {
    let asked = ASKED.replace(Asked::ToPerform);
    let done = act(path.py(), asked, manner, || {
        let path = path_of(path)?;
        Ok(move || actions::remove_tree::declare(&path))
    });
    match done {
        // To declare something is to say that there is something to remove.
        Err(error) if ignore_errors && !matches!(asked, Asked::ToDeclare(_)) => {
            if error.is_instance_of::<PyOSError>(path.py()) { Ok(()) } else { Err(error) }
        }
        done => done,
    }
}

/// Remove the file at `path`, whatever it is, but for directories. Of a symbolic link, remove the link.
///
/// If it is not there, that is all right. As the callback of a finalizer it survives the process: then the guard
/// removes that very file, and no other in its place.
#[pyfunction]
#[pyo3(signature = (path, *, sync=false))]
pub(crate) fn remove_file(path: &Bound<'_, PyAny>, sync: bool) -> PyResult<()> {
    file(path, Manner { sync, unguessable: false })
}

/// The same for one that was made by `lastly.NamedTemporaryFile`.
#[pyfunction]
#[pyo3(signature = (path, *, sync=false))]
pub(crate) fn remove_temporary_file(path: &Bound<'_, PyAny>, sync: bool) -> PyResult<()> {
    file(path, Manner { sync, unguessable: true })
}

fn file(path: &Bound<'_, PyAny>, manner: Manner) -> PyResult<()> {
    act(path.py(), ASKED.replace(Asked::ToPerform), manner, || {
        let path = path_of(path)?;
        Ok(move || actions::remove_file::declare(&path))
    })
}

/// Remove the name of POSIX shared memory, with or without its slash. Who has it open keeps it.
///
/// If it is not there, that is all right. As the callback of a finalizer it survives the process. What
/// `multiprocessing.shared_memory` makes, it removes by a process of its own, too, unless it was made with
/// `track=False`.
#[pyfunction]
#[pyo3(signature = (name, *, sync=false))]
pub(crate) fn unlink_shared_memory(name: &Bound<'_, PyAny>, sync: bool) -> PyResult<()> {
    let manner = Manner { sync, unguessable: false };
    act(name.py(), ASKED.replace(Asked::ToPerform), manner, || {
        let name: OsString = name.extract()?;
        Ok(move || actions::unlink_shared_memory::declare(&name))
    })
}

/// Kill the process of this number by SIGKILL, and its group if it leads one.
///
/// As the callback of a finalizer it survives the process: then the guard kills that very process, and no other
/// that has got its number.
#[pyfunction]
#[pyo3(signature = (pid, *, sync=false))]
pub(crate) fn kill_process(pid: &Bound<'_, PyAny>, sync: bool) -> PyResult<()> {
    let manner = Manner { sync, unguessable: false };
    let done = act(pid.py(), ASKED.replace(Asked::ToPerform), manner, || {
        let pid: i32 = pid.extract()?;
        Ok(move || actions::kill_process::declare(pid))
    });
    done.map_err(|error| match error.is_instance_of::<PyFileNotFoundError>(pid.py()) {
        true => {
            PyProcessLookupError::new_err((libc::ESRCH, format!("process {pid}: there is none")))
        }
        false => error,
    })
}

/// What all of them do. `understand` makes of the arguments what declares the action.
fn act<D>(
    py: Python<'_>,
    asked: Asked,
    manner: Manner,
    understand: impl FnOnce() -> PyResult<D>,
) -> PyResult<()>
where
    D: FnOnce() -> Result<Box<dyn Action>, Failure> + Send,
{
    match asked {
        Asked::ToPerform => {
            let declare = understand()?;
            let done = py.detach(|| own::perform(declare)).map_err(error);
            // It is as it should be.
            done.or_else(|error| match error.is_instance_of::<PyFileNotFoundError>(py) {
                true => Ok(()),
                false => Err(error),
            })
        }
        Asked::ToDeclare(key) => {
            let declare = understand()?;
            tell_program(py);
            let trouble = py.detach(|| declare().map(|action| own::declare(key, action, manner)));
            let Some(trouble) = trouble.map_err(error)? else { return Ok(()) };
            // If that is an error, it is not declared.
            warn(py, &trouble).inspect_err(|_| tell(py, py.detach(|| own::cancel(key))))
        }
        // Nothing of the interpreter's in between: a daemon thread may not come back from there.
        Asked::InTurn(key) => py
            .detach(|| {
                let _turn = own::turn(key);
                own::perform(|| unreachable!("it is this thread's turn"))
            })
            .map_err(error),
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

const NAMES: [&str; 6] = [
    "remove_tree",
    "remove_file",
    "unlink_shared_memory",
    "kill_process",
    "remove_temporary_tree",
    "remove_temporary_file",
];

/// The functions themselves, which live for ever. Written once, when the module is imported.
static FUNCTIONS: [AtomicPtr<ffi::PyObject>; NAMES.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; NAMES.len()];

/// To be called when the module has its functions.
pub(crate) fn begin(module: &Bound<'_, PyModule>) -> PyResult<()> {
    for (name, place) in NAMES.iter().zip(&FUNCTIONS) {
        let function = module.getattr(*name)?;
        // Where programs find it; reports and pickles say so.
        if !name.contains("temporary") {
            function.setattr("__module__", "lastly")?;
        }
        // Relaxed: attached, as whoever reads it is.
        place.store(function.into_ptr(), Relaxed);
    }
    Ok(())
}

/// Whether this is one of these functions. Of most functions, their type tells that they are not.
#[inline]
pub(crate) fn is_one(function: &Bound<'_, PyAny>) -> bool {
    function.get_type_ptr() == &raw mut ffi::PyCFunction_Type && is_known(function)
}

#[cold]
fn is_known(function: &Bound<'_, PyAny>) -> bool {
    // Relaxed: see `begin`.
    FUNCTIONS.iter().any(|known| known.load(Relaxed) == function.as_ptr())
}

/// Under which key something was declared.
fn key(weakref: &Bound<'_, PyAny>) -> usize {
    weakref.as_ptr() as usize
}

/// Declares what this callback is to do, if it is such a function. If this fails, nothing is declared.
#[inline]
pub(crate) fn declare(weakref: &Bound<'_, PyAny>, callback: &BoundCallback<'_>) -> PyResult<()> {
    if !is_one(&callback.function) {
        return Ok(());
    }
    call(callback, Asked::ToDeclare(key(weakref))).map(drop)
}

/// Calls such a function, whose turn it is.
#[cold]
pub(crate) fn run<'py>(content: &BoundContent<'py>) -> PyResult<Bound<'py, PyAny>> {
    call(&content.callback, Asked::InTurn(key(&content.weakref)))
}

#[cold]
fn call<'py>(callback: &BoundCallback<'py>, asked: Asked) -> PyResult<Bound<'py, PyAny>> {
    ASKED.set(asked);
    let result = callback.call();
    // If its arguments did not fit, it has not taken that.
    ASKED.set(Asked::ToPerform);
    result
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
