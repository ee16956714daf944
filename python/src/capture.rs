//! The callback that keeps its own object alive.
//!
//! Such a finalizer can only run at exit: as long as it lives its object cannot die. That is never
//! what was meant, so it draws a warning: for the object itself among the arguments, for a bound
//! method of it, and for partials and functions that carry one of those.
//!
//! Every finalizer that is created is looked at, so this compares pointers and types, and writes
//! nothing down unless it finds the object.
//!
//! In development all that the callback owns is searched as well, by a function of Python's
//! (`lastly/_capture.py`), and `lastly.check()` searches what all callbacks own.

use std::cell::Cell;
use std::ffi::CString;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyException, PyResourceWarning};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::attach::attached;
use crate::callback::{BoundCallback, Keywords};
use crate::{class, exit, finalizer, names, report};

pyo3::create_exception!(
    lastly,
    SelfReferenceWarning,
    PyResourceWarning,
    "The callback of a finalizer keeps its own object alive: it can only run at exit."
);

/// How far partials and closures are followed into one another.
const DEPTH: usize = 4;
/// How many to look into: closures that hold one another lead on for ever.
const MOST: usize = 100;

/// Warns if the callback keeps the object alive. It is an error if warnings are errors.
#[inline]
pub(crate) fn check(object: &Bound<'_, PyAny>, callback: &BoundCallback<'_>) -> PyResult<()> {
    let search = Search { object, carriers: Carriers::get(object.py())?, left: Cell::new(MOST) };
    match search.callback(callback)? {
        Some(steps) => attached(object.py(), || warn(object, callback, &path(&steps))),
        // Relaxed: changed and read by threads that are attached to the interpreter.
        None if IS_DEEP.load(Relaxed) && !owns_nothing(callback) => {
            attached(object.py(), || check_deeply(object, callback))
        }
        None => Ok(()),
    }
}

/// The function that searches all that a callback owns. Under the lock nothing is called that might
/// let another thread in.
static DEEP_SEARCH: Mutex<Option<Py<PyAny>>> = Mutex::new(None);
/// Whether there is one.
static IS_DEEP: AtomicBool = AtomicBool::new(false);

fn deep_search() -> MutexGuard<'static, Option<Py<PyAny>>> {
    DEEP_SEARCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has this function search the callbacks of new finalizers from now on; or none. It is given the
/// object, the function, its arguments and keyword arguments, and returns the way to the object in
/// words, or None.
#[pyfunction]
#[pyo3(signature = (search, /))]
pub(crate) fn set_capture_search(search: Option<Bound<'_, PyAny>>) {
    // Relaxed, as above.
    IS_DEEP.store(search.is_some(), Relaxed);
    let before = std::mem::replace(&mut *deep_search(), search.map(Bound::unbind));
    // Not under the lock: this may run any code.
    drop(before);
}

/// Whether there is nothing to search: a plain function with numbers and names, as callbacks should
/// be. This spares most of them the search.
#[cold]
fn owns_nothing(callback: &BoundCallback<'_>) -> bool {
    !matches!(callback.keywords(), Keywords::Dict(_))
        && is_plain_function(&callback.function)
        && callback.values().iter().all(|value| is_plain(value.as_ptr()))
}

/// Whether it holds nothing. Null does not.
fn is_plain(value: *mut ffi::PyObject) -> bool {
    if value.is_null() {
        return true;
    }
    // SAFETY: an object.
    let kind = unsafe { ffi::Py_TYPE(value) };
    // SAFETY: attached.
    value == unsafe { ffi::Py_None() }
        || kind == &raw mut ffi::PyUnicode_Type
        || kind == &raw mut ffi::PyLong_Type
        || kind == &raw mut ffi::PyFloat_Type
        || kind == &raw mut ffi::PyBool_Type
        || kind == &raw mut ffi::PyBytes_Type
}

fn is_plain_function(function: &Bound<'_, PyAny>) -> bool {
    let (pointer, kind) = (function.as_ptr(), function.get_type_ptr());
    if kind == &raw mut ffi::PyFunction_Type {
        // SAFETY: it is a function.
        let parts = unsafe { &*pointer.cast::<ffi::PyFunctionObject>() };
        #[cfg(Py_3_12)]
        if !parts.func_typeparams.is_null() {
            return false;
        }
        #[cfg(Py_3_14)]
        if !parts.func_annotate.is_null() {
            return false;
        }
        let owned =
            [parts.func_closure, parts.func_defaults, parts.func_kwdefaults, parts.func_dict];
        return owned.iter().all(|part| part.is_null())
            && [parts.func_annotations, parts.func_doc, parts.func_module]
                .iter()
                .all(|part| is_plain(*part));
    }
    if kind == &raw mut ffi::PyCFunction_Type {
        // SAFETY: it is a function of C's.
        let parts = unsafe { &*pointer.cast::<ffi::PyCFunctionObject>() };
        // SAFETY: an object, if it is not null.
        let of_module = || unsafe { ffi::PyModule_CheckExact(parts.m_self) != 0 };
        return (parts.m_self.is_null() || of_module()) && is_plain(parts.m_module);
    }
    // Classes are not looked into.
    function.is_instance_of::<PyType>()
}

/// Warns if the search finds the object. That the search fails is no reason not to create the
/// finalizer; but what interrupts the program, Ctrl-C above all, interrupts this, too.
#[cold]
fn check_deeply(object: &Bound<'_, PyAny>, callback: &BoundCallback<'_>) -> PyResult<()> {
    let py = object.py();
    match search_deeply(object, callback) {
        Ok(Some(path)) => warn_of_way(object, callback, &path),
        Ok(None) => Ok(()),
        Err(error) if error.is_instance_of::<PyException>(py) => {
            error.write_unraisable(py, None);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn search_deeply(
    object: &Bound<'_, PyAny>,
    callback: &BoundCallback<'_>,
) -> PyResult<Option<String>> {
    let py = object.py();
    let search = deep_search().as_ref().map(|search| search.clone_ref(py));
    // While the interpreter is taken down, what the search needs may be gone.
    let Some(search) = search.filter(|_| !exit::is_over()) else { return Ok(None) };
    let [function, arguments, keywords] = callback.clone().with_dict()?.into_parts()?;
    let way = search.bind(py).call1((object, function, arguments, keywords))?;
    way.extract()
}

/// Object, function, arguments and keyword arguments of a finalizer, as `peek` gives them; but how
/// it keeps them is left as it is.
#[pyfunction]
#[pyo3(signature = (finalizer, /))]
pub(crate) fn callback_of<'py>(
    finalizer: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let Some(finalizer) = class::instance(finalizer)? else { return Ok(None) };
    let Some(content) = finalizer.kept() else { return Ok(None) };
    let Some(object) = content.object() else { return Ok(None) };
    finalizer::as_tuple(object, content.callback).map(Some)
}

/// The names of a finalizer's object and function, and where it was created, as reports have them;
/// `None` if it is dead.
#[pyfunction]
#[pyo3(signature = (finalizer, /))]
pub(crate) fn names_of(
    finalizer: &Bound<'_, PyAny>,
) -> PyResult<Option<(String, String, Option<String>)>> {
    let Some(instance) = class::instance(finalizer)? else { return Ok(None) };
    let Some(content) = instance.kept() else { return Ok(None) };
    let node = report::node_of(finalizer);
    let of = names::describe(node, &content.callback.function, &content.weakref);
    let created = of.created.map(|created| created.to_string());
    Ok(Some((of.object.to_string(), of.function.to_string(), created)))
}

/// The types of callables that carry other objects, but for functions.
pub(crate) struct Carriers {
    /// A bound method of a Python class, and of a slot.
    methods: [Py<PyType>; 2],
    partial: Py<PyType>,
}

impl Carriers {
    /// To be called first when the module is imported.
    #[inline]
    pub(crate) fn get(py: Python<'_>) -> PyResult<&'static Carriers> {
        static CARRIERS: PyOnceLock<Carriers> = PyOnceLock::new();
        CARRIERS.get_or_try_init(py, || {
            // Not from the modules `types` and `functools`: those take longer to import than all the
            // rest, and a first finalizer must not import anything (see `lastly/__init__.py`).
            let of_class =
                py.eval(c"type('', (), {'method': lambda self: 0})().method", None, None)?;
            let of_slot =
                py.get_type::<PyAny>().getattr("__str__")?.call_method1("__get__", (1,))?;
            let methods = [of_class, of_slot].map(|method| method.get_type().unbind());
            let partial = py.import("_functools")?.getattr("partial")?.cast_into::<PyType>()?;
            Ok(Carriers { methods, partial: partial.unbind() })
        })
    }
}

impl Carriers {
    /// Whether this is a method of a Python class, bound to an object.
    pub(crate) fn is_method(&self, value: &Bound<'_, PyAny>) -> bool {
        value.get_type_ptr().cast() == self.methods[0].as_ptr()
    }

    pub(crate) fn is_partial(&self, value: &Bound<'_, PyAny>) -> bool {
        value.get_type_ptr().cast() == self.partial.as_ptr()
    }
}

/// One step of the way from the callback to the object.
enum Step {
    /// What to write after the way so far.
    Part(String),
    /// A variable of a closure, by name.
    Variable(String),
}

/// The way to the object, its last step first; it is written down on the way back only.
type Way = Option<Vec<Step>>;

/// A search for the object.
struct Search<'a, 'py> {
    object: &'a Bound<'py, PyAny>,
    carriers: &'static Carriers,
    /// How many carriers to look into yet.
    left: Cell<usize>,
}

impl<'py> Search<'_, 'py> {
    #[inline]
    fn callback(&self, callback: &BoundCallback<'py>) -> PyResult<Way> {
        let part = |name: &str| Step::Part(name.to_owned());
        if let Some(way) = self.value(&callback.function, DEPTH)? {
            return Ok(Some(then(way, part("func"))));
        }
        let values = callback.values();
        for (index, value) in values.iter().enumerate() {
            if let Some(way) = self.value(value, DEPTH)? {
                return Ok(Some(then(way, argument(callback, index)?)));
            }
        }
        match callback.keywords() {
            Keywords::Dict(keywords) => {
                Ok(self.named(keywords, DEPTH)?.map(|way| then(way, part("kwargs"))))
            }
            _ => Ok(None),
        }
    }

    /// The way on from one value.
    #[inline]
    fn value(&self, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<Way> {
        if !value.is(self.object) && !self.carries(value) {
            return Ok(None);
        }
        self.way_on(value, depth)
    }

    /// Whether a value is of a type that carries others; most functions carry none.
    #[inline]
    fn carries(&self, value: &Bound<'py, PyAny>) -> bool {
        let kind = value.get_type_ptr();
        if kind == &raw mut ffi::PyFunction_Type {
            // SAFETY: it is a function.
            let function = unsafe { &*value.as_ptr().cast::<ffi::PyFunctionObject>() };
            return !function.func_closure.is_null()
                || !function.func_defaults.is_null()
                || !function.func_kwdefaults.is_null();
        }
        let [method, slot] = &self.carriers.methods;
        kind == &raw mut ffi::PyCFunction_Type
            || kind == &raw mut ffi::PyCMethod_Type
            || kind.cast() == method.as_ptr()
            || kind.cast() == slot.as_ptr()
            || kind.cast() == self.carriers.partial.as_ptr()
    }

    #[inline(never)]
    fn way_on(&self, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<Way> {
        if value.is(self.object) {
            return Ok(Some(Vec::new()));
        }
        let Some(left) = self.left.get().checked_sub(1) else { return Ok(None) };
        self.left.set(left);
        let kind = value.get_type_ptr();
        if kind == &raw mut ffi::PyFunction_Type {
            return self.function(value, depth);
        }
        if kind.cast() == self.carriers.partial.as_ptr() {
            return self.partial(value, depth);
        }
        // SAFETY: an object.
        let of = if unsafe { ffi::PyCFunction_Check(value.as_ptr()) } != 0 {
            // SAFETY: it is a function of C's.
            unsafe { ffi::PyCFunction_GetSelf(value.as_ptr()) }
        } else {
            // It is held by the method.
            value.getattr("__self__")?.as_ptr()
        };
        Ok((of == self.object.as_ptr()).then(|| vec![Step::Part(".__self__".to_owned())]))
    }

    fn function(&self, function: &Bound<'py, PyAny>, depth: usize) -> PyResult<Way> {
        let part = |get: Part| {
            // SAFETY: it is a function; the part is borrowed from it, or null.
            let part = unsafe { get(function.as_ptr()) };
            // SAFETY: as above.
            unsafe { Bound::from_borrowed_ptr_or_opt(function.py(), part) }
        };
        if depth == 0 {
            return Ok(None);
        }
        if let Some(closure) = part(ffi::PyFunction_GetClosure) {
            if let Some((variable, way)) = self.closure(closure.cast()?, depth - 1)? {
                let names = function.getattr("__code__")?.getattr("co_freevars")?;
                let name = names.get_item(variable)?.to_string();
                return Ok(Some(then(way, Step::Variable(name))));
            }
        }
        if let Some(defaults) = part(ffi::PyFunction_GetDefaults) {
            if let Some(way) = self.items(defaults.cast()?, depth - 1)? {
                return Ok(Some(then(way, Step::Part(".__defaults__".to_owned()))));
            }
        }
        if let Some(defaults) = part(ffi::PyFunction_GetKwDefaults) {
            if let Some(way) = self.named(defaults.cast()?, depth - 1)? {
                return Ok(Some(then(way, Step::Part(".__kwdefaults__".to_owned()))));
            }
        }
        Ok(None)
    }

    /// Which variable of a closure leads to the object, and the way on from there.
    fn closure(
        &self,
        cells: &Bound<'py, PyTuple>,
        depth: usize,
    ) -> PyResult<Option<(usize, Vec<Step>)>> {
        for (index, cell) in cells.iter_borrowed().enumerate() {
            // SAFETY: a closure is a tuple of cells.
            let value = unsafe { ffi::PyCell_Get(cell.as_ptr()) };
            // SAFETY: a reference of our own, or null: a variable that is yet to be assigned.
            let Some(value) = (unsafe { Bound::from_owned_ptr_or_opt(cells.py(), value) }) else {
                continue;
            };
            if let Some(way) = self.value(&value, depth)? {
                return Ok(Some((index, way)));
            }
        }
        Ok(None)
    }

    fn partial(&self, partial: &Bound<'py, PyAny>, depth: usize) -> PyResult<Way> {
        if depth == 0 {
            return Ok(None);
        }
        let part = |name: &str, way: Way| way.map(|way| then(way, Step::Part(format!(".{name}"))));
        if let Some(way) = part("func", self.value(&partial.getattr("func")?, depth - 1)?) {
            return Ok(Some(way));
        }
        let arguments = partial.getattr("args")?;
        if let Some(way) = part("args", self.items(arguments.cast()?, depth - 1)?) {
            return Ok(Some(way));
        }
        let keywords = partial.getattr("keywords")?;
        Ok(part("keywords", self.named(keywords.cast()?, depth - 1)?))
    }

    fn items(&self, tuple: &Bound<'py, PyTuple>, depth: usize) -> PyResult<Way> {
        for (index, value) in tuple.as_slice().iter().enumerate() {
            if let Some(way) = self.value(value, depth)? {
                return Ok(Some(then(way, Step::Part(format!("[{index}]")))));
            }
        }
        Ok(None)
    }

    fn named(&self, dict: &Bound<'py, PyDict>, depth: usize) -> PyResult<Way> {
        for (name, value) in dict {
            if let Some(way) = self.value(&value, depth)? {
                return Ok(Some(then(way, Step::Part(format!("[{}]", name.repr()?)))));
            }
        }
        Ok(None)
    }
}

/// How to name one of the values: the last are those of keyword arguments.
#[cold]
fn argument(callback: &BoundCallback<'_>, index: usize) -> PyResult<Step> {
    if let Keywords::Names(names) = callback.keywords() {
        let positional = callback.values().len() - names.len();
        if let Some(named) = index.checked_sub(positional) {
            return Ok(Step::Part(format!("kwargs[{}]", names.get_item(named)?.repr()?)));
        }
    }
    Ok(Step::Part(format!("args[{index}]")))
}

type Part = unsafe extern "C" fn(*mut ffi::PyObject) -> *mut ffi::PyObject;

#[cold]
fn then(mut way: Vec<Step>, step: Step) -> Vec<Step> {
    way.push(step);
    way
}

/// The way in words.
#[cold]
fn path(way: &[Step]) -> String {
    let mut path = String::new();
    for step in way.iter().rev() {
        path = match step {
            Step::Part(part) => path + part,
            Step::Variable(name) if path == "func" => format!("closure variable '{name}'"),
            Step::Variable(name) => format!("closure variable '{name}' of {path}"),
        };
    }
    path
}

#[cold]
fn warn(object: &Bound<'_, PyAny>, callback: &BoundCallback<'_>, path: &str) -> PyResult<()> {
    let py = object.py();
    let kind = object.get_type().qualname()?;
    let function = match callback.function.getattr("__qualname__") {
        Ok(name) => name.to_string(),
        Err(_) => format!("a {}", callback.function.get_type().qualname()?),
    };
    let message = format!(
        "this finalizer of {kind} can only run at exit, as its callback {function} keeps the object \
         alive: {path} is that object. Give it a function or a static method, and as arguments \
         what it needs of the object, not the object"
    );
    raise_warning(py, &message)
}

/// The same for an object that is further off.
fn warn_of_way(
    object: &Bound<'_, PyAny>,
    callback: &BoundCallback<'_>,
    path: &str,
) -> PyResult<()> {
    let kind = names::of_type(&object.get_type());
    let function = names::of_function(&callback.function);
    let message = format!(
        "this finalizer of {kind} keeps its object alive by its callback {function}: the object \
         cannot die as long as {path} is that object. Give it as arguments what it needs of the \
         object, and nothing that leads to the object"
    );
    raise_warning(object.py(), &message)
}

fn raise_warning(py: Python<'_>, message: &str) -> PyResult<()> {
    // A name may hold anything.
    let message = CString::new(message.replace('\0', "\\0"))?;
    PyErr::warn(py, &py.get_type::<SelfReferenceWarning>(), &message, 1)
}
