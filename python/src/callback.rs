//! What a finalizer runs: a function and its arguments, kept as they came.
//!
//! They come as a *vectorcall*: positional arguments, then the values of keyword arguments, and
//! a tuple of their names, which belongs to the caller's code. So they are kept, in one tuple, the
//! names last; and so they are passed on: no dictionary is made. Only a look at the keyword
//! arguments (`peek`) makes one. It takes the place of the names, and from then on it is what is
//! passed: a change to it must reach the function.

use std::ptr::{self, NonNull};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// A callback while it is kept: two words.
pub(crate) struct Callback {
    function: Py<PyAny>,
    arguments: Arguments,
}

/// Null, or a tuple; marked in the lowest bit, which is free in the address of an object, if the
/// last in the tuple is about keywords.
struct Arguments(*mut ffi::PyObject);

const MARK: usize = 1;

impl Arguments {
    #[inline]
    fn tuple(&self) -> *mut ffi::PyObject {
        self.0.map_addr(|address| address & !MARK)
    }

    #[inline]
    fn has_keywords(&self) -> bool {
        self.0.addr() & MARK != 0
    }
}

/// A callback in somebody's hands.
#[derive(Clone)]
pub(crate) struct BoundCallback<'py> {
    /// The positional arguments, if there are any. If there are keyword arguments: the values of
    /// both, then a tuple of the names; or a tuple of the positional ones, then a dictionary.
    arguments: Option<Bound<'py, PyTuple>>,
    has_keywords: bool,
    /// Let go of after the arguments, as the original does.
    pub(crate) function: Bound<'py, PyAny>,
}

/// How the keyword arguments are kept.
pub(crate) enum Keywords<'a, 'py> {
    None,
    /// Their names; so many of the last values are theirs.
    Names(&'a Bound<'py, PyTuple>),
    Dict(&'a Bound<'py, PyDict>),
}

impl Callback {
    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> BoundCallback<'py> {
        // SAFETY: `unbind` made it of a tuple, or of none, which `self` holds.
        let arguments = unsafe { Bound::from_borrowed_ptr_or_opt(py, self.arguments.tuple()) };
        bound(self.function.bind(py).clone(), arguments, &self.arguments)
    }

    #[inline]
    pub(crate) fn into_bound(self, py: Python<'_>) -> BoundCallback<'_> {
        // SAFETY: as above; the reference was that of `self`.
        let arguments = unsafe { Bound::from_owned_ptr_or_opt(py, self.arguments.tuple()) };
        let Self { function, arguments: kept } = self;
        bound(function.into_bound(py), arguments, &kept)
    }
}

#[inline]
fn bound<'py>(
    function: Bound<'py, PyAny>,
    arguments: Option<Bound<'py, PyAny>>,
    kept: &Arguments,
) -> BoundCallback<'py> {
    // SAFETY: `unbind` made it of a tuple.
    let arguments = arguments.map(|tuple| unsafe { tuple.cast_into_unchecked() });
    BoundCallback { function, arguments, has_keywords: kept.has_keywords() }
}

impl<'py> BoundCallback<'py> {
    /// `arguments` are the positional ones, then the values of the keyword ones; `names` is a
    /// tuple.
    ///
    /// # Safety
    ///
    /// All of it is as the vectorcall protocol says, and alive.
    #[inline]
    pub(crate) unsafe fn from_vectorcall(
        py: Python<'py>,
        function: *mut ffi::PyObject,
        arguments: &[*mut ffi::PyObject],
        names: Option<NonNull<ffi::PyObject>>,
    ) -> PyResult<Self> {
        // SAFETY: this function's contract.
        let arguments = unsafe { tuple(py, arguments, names) }?;
        // SAFETY: as above.
        let function = unsafe { Bound::from_borrowed_ptr(py, function) };
        Ok(Self { function, arguments, has_keywords: names.is_some() })
    }

    /// For a call by the older protocol.
    pub(crate) fn from_call(
        function: Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        match keywords {
            Some(keywords) if !keywords.is_empty() => {
                // A copy, as `**keywords` in Python makes one.
                Self::pair(function, arguments.clone(), keywords.copy()?)
            }
            _ => {
                let arguments = (!arguments.is_empty()).then(|| arguments.clone());
                Ok(Self { function, arguments, has_keywords: false })
            }
        }
    }

    fn pair(
        function: Bound<'py, PyAny>,
        positional: Bound<'py, PyTuple>,
        keywords: Bound<'py, PyDict>,
    ) -> PyResult<Self> {
        let pair = [positional.into_any(), keywords.into_any()];
        let arguments = Some(PyTuple::new(function.py(), pair)?);
        Ok(Self { function, arguments, has_keywords: true })
    }

    #[inline]
    pub(crate) fn unbind(self) -> Callback {
        let mark = if self.has_keywords { MARK } else { 0 };
        let tuple = self.arguments.map_or(ptr::null_mut(), Bound::into_ptr);
        debug_assert_eq!(tuple.addr() & MARK, 0, "objects are aligned");
        let arguments = Arguments(tuple.map_addr(|address| address | mark));
        Callback { function: self.function.unbind(), arguments }
    }

    #[inline]
    pub(crate) fn call(&self) -> PyResult<Bound<'py, PyAny>> {
        let function = self.function.as_ptr();
        let values = self.values();
        let (first, count) = (values.as_ptr().cast(), values.len());
        let result = match self.keywords() {
            // SAFETY: so many arguments, and no names.
            Keywords::None => unsafe {
                ffi::PyObject_Vectorcall(function, first, count, ptr::null_mut())
            },
            // SAFETY: so many positional arguments, and after them one for each name.
            Keywords::Names(names) => unsafe {
                ffi::PyObject_Vectorcall(function, first, count - names.len(), names.as_ptr())
            },
            // SAFETY: so many positional arguments, and a dictionary.
            Keywords::Dict(dict) => unsafe {
                ffi::PyObject_VectorcallDict(function, first, count, dict.as_ptr())
            },
        };
        // SAFETY: the result of a call, or null with an exception set.
        unsafe { Bound::from_owned_ptr_or_err(self.function.py(), result) }
    }

    /// Whether the two are one: not equal, but the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let arguments = |it: &Self| it.arguments.as_ref().map(|tuple| tuple.as_ptr());
        self.function.is(&other.function) && arguments(self) == arguments(other)
    }

    /// The same, with a dictionary in place of names.
    pub(crate) fn with_dict(self) -> PyResult<Self> {
        let Keywords::Names(names) = self.keywords() else { return Ok(self) };
        let values = self.values();
        let (positional, named) = values.split_at(values.len() - names.len());
        let keywords = PyDict::new(self.function.py());
        for (name, value) in names.iter().zip(named) {
            keywords.set_item(name, value)?;
        }
        let positional = PyTuple::new(self.function.py(), positional)?;
        Self::pair(self.function.clone(), positional, keywords)
    }

    /// The positional arguments, and after them the values that belong to names.
    #[inline]
    pub(crate) fn values(&self) -> &[Bound<'py, PyAny>] {
        let all = self.all();
        match self.keywords() {
            Keywords::None => all,
            Keywords::Names(_) => &all[..all.len() - 1],
            // SAFETY: the first of such a pair is a tuple.
            Keywords::Dict(_) => unsafe { all[0].cast_unchecked::<PyTuple>() }.as_slice(),
        }
    }

    #[inline]
    pub(crate) fn keywords(&self) -> Keywords<'_, 'py> {
        match self.all().last() {
            Some(last) if self.has_keywords => match last.cast() {
                Ok(dict) => Keywords::Dict(dict),
                // SAFETY: it is one or the other.
                Err(_) => Keywords::Names(unsafe { last.cast_unchecked() }),
            },
            _ => Keywords::None,
        }
    }

    #[inline]
    fn all(&self) -> &[Bound<'py, PyAny>] {
        self.arguments.as_ref().map_or(&[], |tuple| tuple.as_slice())
    }

    /// Function, positional arguments and keyword arguments of one [`with_dict`](Self::with_dict),
    /// as a program gets them: the very dictionary that is passed, or a new one if it is empty.
    pub(crate) fn into_parts(self) -> PyResult<[Bound<'py, PyAny>; 3]> {
        let py = self.function.py();
        let keywords = match self.keywords() {
            Keywords::Dict(dict) if !dict.is_empty() => dict.clone(),
            _ => PyDict::new(py),
        };
        let arguments = match (self.keywords(), &self.arguments) {
            (Keywords::Dict(_), _) => self.all()[0].clone(),
            (_, Some(tuple)) => tuple.clone().into_any(),
            (_, None) => PyTuple::empty(py).into_any(),
        };
        Ok([self.function, arguments, keywords.into_any()])
    }
}

/// A tuple of these, the names last; or nothing if there are none.
///
/// # Safety
///
/// They point to objects.
#[inline]
unsafe fn tuple<'py>(
    py: Python<'py>,
    values: &[*mut ffi::PyObject],
    names: Option<NonNull<ffi::PyObject>>,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let length = values.len() + usize::from(names.is_some());
    if length == 0 {
        return Ok(None);
    }
    // SAFETY: attached.
    let tuple = unsafe { ffi::PyTuple_New(length as ffi::Py_ssize_t) };
    // SAFETY: a new tuple, or null with an exception set.
    let owned = unsafe { Bound::from_owned_ptr_or_err(py, tuple) }?;
    let names = names.map(NonNull::as_ptr);
    for (index, item) in values.iter().copied().chain(names).enumerate() {
        // SAFETY: this function's contract.
        unsafe { ffi::Py_INCREF(item) };
        // SAFETY: a new tuple of this length, and a reference for it.
        unsafe { ffi::PyTuple_SET_ITEM(tuple, index as ffi::Py_ssize_t, item) };
    }
    // SAFETY: it is a tuple.
    Ok(Some(unsafe { owned.cast_into_unchecked() }))
}
