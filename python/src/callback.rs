//! What a finalizer runs: a function and its arguments, kept as they came.
//!
//! They come as a *vectorcall*: positional arguments, then the values of keyword arguments, and
//! a tuple of their names, which belongs to the caller's code. So they are kept, and so they are
//! passed on: no dictionary is made. Only a look at the keyword arguments (`peek`) makes one, and
//! from then on that is what is passed: a change to it must reach the function.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// A callback while it is kept: three words, of which the last two are often null.
pub(crate) struct Callback {
    function: Py<PyAny>,
    arguments: Option<Py<PyTuple>>,
    keywords: Option<Py<PyAny>>,
}

/// A callback in somebody's hands.
#[derive(Clone)]
pub(crate) struct BoundCallback<'py> {
    pub(crate) function: Bound<'py, PyAny>,
    /// Nothing, or a tuple of at least one.
    arguments: Option<Bound<'py, PyTuple>>,
    /// Of keyword arguments, a tuple of the names, their values being the last of `arguments`; or
    /// a dictionary; or nothing.
    keywords: Option<Bound<'py, PyAny>>,
}

impl Callback {
    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> BoundCallback<'py> {
        BoundCallback {
            function: self.function.bind(py).clone(),
            arguments: self.arguments.as_ref().map(|it| it.bind(py).clone()),
            keywords: self.keywords.as_ref().map(|it| it.bind(py).clone()),
        }
    }

    #[inline]
    pub(crate) fn into_bound(self, py: Python<'_>) -> BoundCallback<'_> {
        BoundCallback {
            function: self.function.into_bound(py),
            arguments: self.arguments.map(|it| it.into_bound(py)),
            keywords: self.keywords.map(|it| it.into_bound(py)),
        }
    }
}

impl<'py> BoundCallback<'py> {
    /// `arguments` are the positional ones, then the values of the keyword ones; `names` is null
    /// or a tuple.
    ///
    /// # Safety
    ///
    /// All of it is as the vectorcall protocol says, and alive.
    #[inline]
    pub(crate) unsafe fn from_vectorcall(
        py: Python<'py>,
        function: *mut ffi::PyObject,
        arguments: &[*mut ffi::PyObject],
        names: *mut ffi::PyObject,
    ) -> PyResult<Self> {
        // SAFETY: this function's contract.
        let arguments = unsafe { tuple(py, arguments) }?;
        // SAFETY: as above.
        let function = unsafe { Bound::from_borrowed_ptr(py, function) };
        // SAFETY: as above.
        let keywords = unsafe { Bound::from_borrowed_ptr_or_opt(py, names) };
        Ok(Self { function, arguments, keywords })
    }

    /// For a call by the older protocol.
    pub(crate) fn from_call(
        function: Bound<'py, PyAny>,
        arguments: Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        // A copy, as `**keywords` in Python makes one.
        let keywords = match keywords {
            Some(keywords) if !keywords.is_empty() => Some(keywords.copy()?.into_any()),
            _ => None,
        };
        let arguments = (!arguments.is_empty()).then_some(arguments);
        Ok(Self { function, arguments, keywords })
    }

    #[inline]
    pub(crate) fn unbind(self) -> Callback {
        Callback {
            function: self.function.unbind(),
            arguments: self.arguments.map(Bound::unbind),
            keywords: self.keywords.map(Bound::unbind),
        }
    }

    #[inline]
    pub(crate) fn call(&self) -> PyResult<Bound<'py, PyAny>> {
        let function = self.function.as_ptr();
        let arguments = self.values();
        let (first, count) = (arguments.as_ptr().cast(), arguments.len());
        let result = match (&self.keywords, self.names()) {
            // SAFETY: so many arguments, and no names.
            (None, _) => unsafe {
                ffi::PyObject_Vectorcall(function, first, count, ptr::null_mut())
            },
            // SAFETY: so many positional arguments, and after them one for each name.
            (_, Some(names)) => unsafe {
                let positional = count - names.len();
                ffi::PyObject_Vectorcall(function, first, positional, names.as_ptr())
            },
            // SAFETY: so many positional arguments, and a dictionary.
            (Some(dict), None) => unsafe {
                ffi::PyObject_VectorcallDict(function, first, count, dict.as_ptr())
            },
        };
        // SAFETY: the result of a call, or null with an exception set.
        unsafe { Bound::from_owned_ptr_or_err(self.function.py(), result) }
    }

    /// The same, with a dictionary in place of names.
    pub(crate) fn with_dict(&self) -> PyResult<Self> {
        let Some(names) = self.names() else { return Ok(self.clone()) };
        let values = self.values();
        let (positional, named) = values.split_at(values.len() - names.len());
        let py = self.function.py();
        let keywords = PyDict::new(py);
        for (name, value) in names.iter().zip(named) {
            keywords.set_item(name, value)?;
        }
        let arguments = match positional {
            [] => None,
            some => Some(PyTuple::new(py, some)?),
        };
        let function = self.function.clone();
        Ok(Self { function, arguments, keywords: Some(keywords.into_any()) })
    }

    /// The positional arguments of one [`with_dict`](Self::with_dict).
    pub(crate) fn arguments(&self) -> Bound<'py, PyTuple> {
        debug_assert!(self.names().is_none(), "what belongs to names would be among them");
        self.arguments.clone().unwrap_or_else(|| PyTuple::empty(self.function.py()))
    }

    /// The keyword arguments of one [`with_dict`](Self::with_dict): the very dictionary that is
    /// passed; a new one if there are none.
    pub(crate) fn keywords(&self) -> Bound<'py, PyAny> {
        let none = || PyDict::new(self.function.py()).into_any();
        self.keywords.clone().unwrap_or_else(none)
    }

    /// The positional arguments, and after them the values that belong to [`names`](Self::names).
    #[inline]
    pub(crate) fn values(&self) -> &[Bound<'py, PyAny>] {
        self.arguments.as_ref().map_or(&[], |tuple| tuple.as_slice())
    }

    #[inline]
    pub(crate) fn names(&self) -> Option<&Bound<'py, PyTuple>> {
        self.keywords.as_ref()?.cast().ok()
    }

    /// The dictionary of keyword arguments, if that is how they are kept.
    pub(crate) fn dict(&self) -> Option<&Bound<'py, PyDict>> {
        self.keywords.as_ref()?.cast().ok()
    }
}

/// A tuple of these, or nothing if there are none.
///
/// # Safety
///
/// They point to objects.
#[inline]
unsafe fn tuple<'py>(
    py: Python<'py>,
    items: &[*mut ffi::PyObject],
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    if items.is_empty() {
        return Ok(None);
    }
    // SAFETY: attached.
    let tuple = unsafe { ffi::PyTuple_New(items.len() as ffi::Py_ssize_t) };
    // SAFETY: a new tuple, or null with an exception set.
    let owned = unsafe { Bound::from_owned_ptr_or_err(py, tuple) }?;
    for (index, item) in items.iter().enumerate() {
        // SAFETY: this function's contract.
        unsafe { ffi::Py_INCREF(*item) };
        // SAFETY: a new tuple of this length, and a reference for it.
        unsafe { ffi::PyTuple_SET_ITEM(tuple, index as ffi::Py_ssize_t, *item) };
    }
    // SAFETY: it is a tuple.
    Ok(Some(unsafe { owned.cast_into_unchecked() }))
}
