//! What was given for each parameter of a function, found out without a call of it.
//!
//! A call runs foreign code before the function has its arguments: an allocation for the names of keyword
//! arguments may begin a garbage collection. Here nothing does, up to the conversion of the arguments one by
//! one. What is wrong is told as of a function that is written in Python.

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;

use crate::callback::Keywords;

/// The parameters of a function. The first must be given, by position or by name; the others may be, by
/// name only.
pub(crate) struct Parameters {
    pub(crate) function: &'static str,
    pub(crate) names: &'static [&'static str],
}

/// How many parameters there are at most.
const MOST: usize = 3;

/// What was given for them, in their order.
pub(crate) struct Given<'a, 'py> {
    parameters: &'a Parameters,
    values: [Option<Bound<'py, PyAny>>; MOST],
}

impl Parameters {
    /// `values` are the positional arguments, then those that belong to names.
    pub(crate) fn given<'py>(
        &self,
        values: &[Bound<'py, PyAny>],
        keywords: &Keywords<'_, 'py>,
    ) -> PyResult<Given<'_, 'py>> {
        let named = match keywords {
            Keywords::Names(names) => names.len(),
            Keywords::None | Keywords::Dict(_) => 0,
        };
        let (positional, named) = values.split_at(values.len() - named);
        if positional.len() > 1 {
            let given = positional.len();
            return Err(self.wrong(&format!("takes 1 positional argument but {given} were given")));
        }
        let mut given = Given { parameters: self, values: [const { None }; MOST] };
        given.values[0] = positional.first().cloned();
        match keywords {
            Keywords::None => {}
            Keywords::Names(names) => {
                for (name, value) in names.as_slice().iter().zip(named) {
                    given.put(name, value.clone())?;
                }
            }
            Keywords::Dict(dict) => {
                for (name, value) in dict.iter() {
                    given.put(&name, value)?;
                }
            }
        }
        if given.values[0].is_none() {
            let name = self.names[0];
            return Err(self.wrong(&format!("missing 1 required positional argument: '{name}'")));
        }
        Ok(given)
    }

    #[cold]
    fn wrong(&self, what: &str) -> PyErr {
        PyTypeError::new_err(format!("{}() {what}", self.function))
    }
}

impl<'py> Given<'_, 'py> {
    fn put(&mut self, name: &Bound<'py, PyAny>, value: Bound<'py, PyAny>) -> PyResult<()> {
        let Self { parameters, values } = self;
        let known = name.extract::<&str>().ok();
        let index = parameters.names.iter().position(|parameter| known == Some(parameter));
        let problem = match index.map(|index| &mut values[index]) {
            Some(place @ None) => {
                *place = Some(value);
                return Ok(());
            }
            Some(Some(_)) => "multiple values for argument",
            None => "an unexpected keyword argument",
        };
        Err(parameters.wrong(&format!("got {problem} '{name}'")))
    }

    /// What was given for the first one.
    pub(crate) fn first<T>(
        &self,
        convert: impl FnOnce(&Bound<'py, PyAny>) -> PyResult<T>,
    ) -> PyResult<T> {
        let value = self.values[0].as_ref().expect("it was given");
        convert(value).map_err(|error| self.of_argument(0, value.py(), error))
    }

    /// Whether this one is on: it is not, if it is not given, or there is none of that name.
    pub(crate) fn is_on(&self, name: &str) -> PyResult<bool> {
        let index = self.parameters.names.iter().position(|parameter| *parameter == name);
        let Some((index, value)) = index.and_then(|at| Some((at, self.values[at].as_ref()?)))
        else {
            return Ok(false);
        };
        value.extract().map_err(|error| self.of_argument(index, value.py(), error))
    }

    /// A conversion does not say which argument is wrong. What code of the program's raised stays as it is.
    #[cold]
    fn of_argument(&self, index: usize, py: Python<'_>, error: PyErr) -> PyErr {
        let kind = error.get_type(py);
        let is_ours =
            kind.is(py.get_type::<PyTypeError>()) || kind.is(py.get_type::<PyOverflowError>());
        if !is_ours || error.traceback(py).is_some() {
            return error;
        }
        let Parameters { function, names } = self.parameters;
        let text = format!("{function}() argument '{}': {}", names[index], error.value(py));
        PyErr::from_type(kind, text)
    }
}
