//! Names, for reports. Computing one cannot fail, and runs no code of the program's but, where a type
//! is made by a metaclass that looks up its own attributes, that.

use std::ptr::NonNull;

use lastly_core::{Description, Node};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyFunction, PyString, PyType};

use crate::capture::Carriers;
use crate::{object, sites};

/// Of an object whose type nobody knows any more.
pub(crate) const UNKNOWN: &str = "an object";

/// How far partials are followed into one another.
const DEPTH: usize = 4;

/// What a finalizer is about: it runs this function when the object dies that this is a weak
/// reference to.
pub(crate) fn describe(
    node: NonNull<Node>,
    function: &Bound<'_, PyAny>,
    weakref: &Bound<'_, PyAny>,
) -> Description {
    let alive = object::referent(weakref).map(|object| of_type(&object.get_type()));
    of_parts(node, of_function(function), alive)
}

/// The same, in words.
pub(crate) fn of_parts(
    node: NonNull<Node>,
    function: String,
    object: Option<String>,
) -> Description {
    let site = sites::find(node);
    let recorded = site.as_ref().map(|site| site.object.clone());
    Description {
        object: object.or(recorded).map_or(UNKNOWN.into(), Into::into),
        function: function.into(),
        created: site.map(|site| site.created.into()),
    }
}

/// With the module, unless it is a builtin type.
pub(crate) fn of_type(kind: &Bound<'_, PyType>) -> String {
    let module = kind.module().ok().map(|name| lossy(&name));
    match kind.qualname() {
        Ok(name) => qualified(module, lossy(&name)),
        Err(_) => "a type without a name".to_owned(),
    }
}

pub(crate) fn of_function(function: &Bound<'_, PyAny>) -> String {
    of_callable(function, DEPTH).unwrap_or_else(|| of_type(&function.get_type()))
}

/// `None` if it has no name of its own.
fn of_callable(function: &Bound<'_, PyAny>, depth: usize) -> Option<String> {
    if let Ok(class) = function.cast::<PyType>() {
        return Some(of_type(class));
    }
    if function.is_exact_instance_of::<PyFunction>() || function.is_instance_of::<PyCFunction>() {
        let name = attribute(function, "__qualname__")?;
        return Some(qualified(attribute(function, "__module__"), name));
    }
    let carriers = Carriers::get(function.py()).ok()?;
    let inner = |name| function.getattr(name).ok().filter(|_| depth > 0);
    if carriers.is_method(function) {
        return of_callable(&inner("__func__")?, depth - 1);
    }
    if carriers.is_partial(function) {
        let inner = inner("func")?;
        let name = of_callable(&inner, depth - 1).unwrap_or_else(|| of_type(&inner.get_type()));
        return Some(format!("functools.partial({name})"));
    }
    None
}

fn attribute(of: &Bound<'_, PyAny>, name: &str) -> Option<String> {
    let value = of.getattr(name).ok()?;
    value.cast_exact::<PyString>().ok().map(lossy)
}

fn lossy(text: &Bound<'_, PyString>) -> String {
    text.to_string_lossy().into_owned()
}

fn qualified(module: Option<String>, name: String) -> String {
    match module {
        Some(module) if module != "builtins" => format!("{module}.{name}"),
        _ => name,
    }
}
