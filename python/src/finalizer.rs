//! What can be done with a finalizer.

use std::ptr::NonNull;

use lastly_core::sync::Moment;
use lastly_core::{Cause, Claim, Description, Due, Look, Node, Now, Problem, Registry};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use crate::attach::attached;
use crate::callback::{BoundCallback, Keywords};
use crate::door::{PythonDoor, REGISTRY, SHARD};
use crate::object::{BoundContent, Content, Memory};
use crate::{actions, budget, capture, exit, kept, names, nesting, report, signals, sites, slots};

/// A finalizer, dead or alive. The reference keeps it.
pub(crate) struct Finalizer<'a, 'py>(Borrowed<'a, 'py, PyAny>);

impl<'a, 'py> Finalizer<'a, 'py> {
    /// # Safety
    ///
    /// `object` is an instance of our class.
    #[inline]
    pub(crate) unsafe fn new(object: Borrowed<'a, 'py, PyAny>) -> Self {
        let this = Self(object);
        // SAFETY: this function's contract.
        unsafe { Memory::begin_if_blank(this.memory(), slots::vectorcall) };
        this
    }

    #[inline]
    pub(crate) fn py(&self) -> Python<'py> {
        self.0.py()
    }

    #[inline]
    fn memory(&self) -> NonNull<Memory> {
        // SAFETY: an object is never null.
        unsafe { NonNull::new_unchecked(self.0.as_ptr().cast()) }
    }

    #[inline]
    fn node(&self) -> NonNull<Node> {
        // SAFETY: an instance of our class has such memory.
        unsafe { Memory::node(self.memory()) }
    }

    #[inline]
    fn node_ref(&self) -> &Node {
        // SAFETY: alive as long as the object is.
        unsafe { self.node().as_ref() }
    }

    #[inline]
    fn claim(&self, due: Due) -> Option<Claim<'static, PythonDoor>> {
        // SAFETY: the reference is the hold. One that was never registered is dead: nothing is done
        // with it.
        unsafe { REGISTRY.claim(self.node(), due) }
    }

    /// Ties the callback to the object. If this fails nothing has changed. What the finalizer was
    /// tied to before is forgotten.
    #[inline]
    pub(crate) fn register(
        &self,
        object: &Bound<'py, PyAny>,
        callback: BoundCallback<'py>,
    ) -> PyResult<()> {
        let py = self.0.py();
        // SAFETY: both are objects.
        let weakref = unsafe { ffi::PyWeakref_NewRef(object.as_ptr(), self.0.as_ptr()) };
        // SAFETY: a new reference, or null with an exception set.
        let weakref = unsafe { Bound::from_owned_ptr_or_err(py, weakref) }?;
        capture::check(object, &callback)?;
        // From here on nothing fails.
        actions::declare(&weakref, &callback)?;
        // Tied to another object before: that is over.
        let before = if self.node_ref().is_dead() { None } else { self.take() };
        let content = BoundContent { weakref, callback }.unbind();
        // SAFETY: dead by now, as no other code ever runs during a claim or a look; and from here to
        // the end nothing else runs.
        let left = unsafe { Memory::load(self.memory(), SHARD, content) };
        // SAFETY: an object; the reference is the hold of the registry.
        unsafe { ffi::Py_INCREF(self.0.as_ptr()) };
        // SAFETY: new, with a hold for the registry; nothing is tied.
        unsafe { REGISTRY.insert(self.node(), || ()) };
        if sites::is_on() {
            sites::record(self.node(), object);
        }
        // Last: this may run any code.
        before.iter().for_each(actions::give_up);
        drop((before, left.map(|left| left.into_bound(py))));
        Ok(())
    }

    /// Runs the callback, if it is alive and the program is. `argument` is null, or what it was called
    /// with: by the interpreter, the weak reference.
    #[inline]
    pub(crate) fn call(&self, argument: *mut ffi::PyObject) -> PyResult<Option<Bound<'py, PyAny>>> {
        if exit::is_over() {
            drop(self.take());
            return Ok(None);
        }
        if self.is_put_off(argument) {
            return Ok(None);
        }
        let cause = if argument.is_null() { Cause::Called } else { Cause::ObjectDied };
        match self.claim(Due::Run(cause)) {
            Some(claim) => self.run(take(self.0.py(), claim), cause, argument),
            None => {
                self.let_go();
                Ok(None)
            }
        }
    }

    /// Whether it is with this argument that the interpreter calls, as the object has died, and the
    /// callback runs later or elsewhere.
    #[inline]
    pub(crate) fn is_put_off(&self, argument: *mut ffi::PyObject) -> bool {
        // SAFETY: the reference is the hold.
        let waits =
            !argument.is_null() && unsafe { Registry::<PythonDoor>::is_to_wait(self.node()) };
        waits && self.put_off(argument)
    }

    #[cold]
    fn put_off(&self, argument: *mut ffi::PyObject) -> bool {
        // Not while looking: this may be the last that has the object.
        let content = self.look(|kept, py| kept.bind(py));
        let has_died = content.is_some_and(|content| content.has_died(argument));
        // SAFETY: the reference is the hold; what has content was registered.
        has_died && unsafe { REGISTRY.put_off(self.node()) }
    }

    #[inline]
    fn run(
        &self,
        content: BoundContent<'py>,
        cause: Cause,
        argument: *mut ffi::PyObject,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let since = report::moment();
        let result = content.run(&self.0, since);
        report::ran(cause, since, self.node(), &content);
        let result = match result {
            Ok(result) => Ok(Some(result)),
            Err(error) if content.has_died(argument) => self.report(error, &content, since),
            Err(error) => Err(error),
        };
        nesting::let_go(content);
        if signals::is_due() {
            signals::end_if_due(self.0.py());
        }
        result
    }

    /// Reports a failure that nobody is there to take. It is an error where the interpreter is to
    /// show it.
    #[cold]
    fn report(
        &self,
        error: PyErr,
        content: &BoundContent<'py>,
        since: Option<Moment>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        attached(self.0.py(), || {
            let of = self.describe(content);
            if budget::is_spent(&error, self.0.py()) {
                REGISTRY.report(Cause::ObjectDied, &of, Problem::Unfinished, since);
                // It was meant for the callback of the drain, in which the object died.
                budget::interrupt_again();
                return Ok(None);
            }
            let untold = report::failure(&self.0, error, Cause::ObjectDied, &of, since);
            untold.map_or(Ok(None), Err)
        })
    }

    /// Ends it unrun, and gives what it held. What that has declared is still declared.
    pub(crate) fn take(&self) -> Option<BoundContent<'py>> {
        self.claim(Due::Take).map(|claim| take(self.0.py(), claim))
    }

    /// Lets go of what a dead one still holds: if it was called after the door was shut, that was not
    /// taken out.
    fn let_go(&self) {
        if !self.node_ref().is_dead() {
            return;
        }
        // SAFETY: nobody else uses the content of a dead one, attached as we are.
        let left = unsafe { Memory::content(self.memory()) }.take();
        drop(left.map(|left| left.into_bound(self.0.py())));
    }

    /// Ends it unrun, and gives back what it held, unless the object is dead.
    pub(crate) fn detach(&self) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(claim) = self.claim(Due::Take) else { return Ok(None) };
        // SAFETY: claimed.
        let content = unsafe { Memory::content(self.memory()) };
        let object = content.as_ref().and_then(|content| content.bind(self.0.py()).object());
        let Some(object) = object else {
            // Its own cause is on its way.
            claim.give_back();
            return Ok(None);
        };
        let content = take(self.0.py(), claim);
        actions::give_up(&content);
        as_tuple(object, content.callback).map(Some)
    }

    /// What it holds, unless it or the object is dead.
    pub(crate) fn peek(&self) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(content) = self.content()? else { return Ok(None) };
        let Some(object) = content.object() else { return Ok(None) };
        as_tuple(object, content.callback).map(Some)
    }

    /// What it holds, with a dictionary of the keyword arguments: the one that a later call will
    /// pass on.
    pub(crate) fn content(&self) -> PyResult<Option<BoundContent<'py>>> {
        let Some(content) = self.kept() else { return Ok(None) };
        let Keywords::Names(_) = content.callback.keywords() else { return Ok(Some(content)) };
        // Not while looking: this may run any code, which must find the finalizer as it is.
        let mut with_dict = content.clone();
        with_dict.callback = content.callback.clone().with_dict()?;
        let replaced = self.look(|kept, py| {
            let same = kept.bind(py).callback.is(&content.callback);
            same.then(|| std::mem::replace(kept, with_dict.clone().unbind()))
        });
        match replaced {
            // That code has looked, too, or tied it to another object.
            Some(None) => self.content(),
            // Whatever it is that goes here, `content` has it too.
            Some(Some(replaced)) => {
                drop(replaced.into_bound(self.0.py()));
                Ok(Some(with_dict))
            }
            None => Ok(Some(with_dict)),
        }
    }

    /// What it holds, as it is kept.
    pub(crate) fn kept(&self) -> Option<BoundContent<'py>> {
        self.look(|kept, py| kept.bind(py))
    }

    /// Hands what it holds to `look`, which calls nothing that might run other code.
    fn look<R>(&self, look: impl FnOnce(&mut Content, Python<'py>) -> R) -> Option<R> {
        // SAFETY: the reference is the hold. One that was never registered is dead: nothing is done
        // with it.
        let _peek = unsafe { REGISTRY.peek(self.node()) }?;
        // SAFETY: peeking, until the end.
        let kept = unsafe { Memory::content(self.memory()) };
        kept.as_mut().map(|kept| look(kept, self.0.py()))
    }

    pub(crate) fn class(&self) -> Bound<'py, PyType> {
        self.0.get_type()
    }

    /// Its place in the order of creation.
    pub(crate) fn index(&self) -> u64 {
        // SAFETY: the reference is the hold.
        unsafe { REGISTRY.index(self.node()) }
    }

    /// What can be told of it, unless it is dead.
    pub(crate) fn look_at(&self) -> Option<Look> {
        // SAFETY: the reference is the hold. One that was never registered is dead.
        unsafe { REGISTRY.look(self.node(), Now::new()) }
    }

    /// What it is about, which holds this.
    fn describe(&self, content: &BoundContent<'py>) -> Description {
        names::describe(self.node(), &content.callback.function, &content.weakref)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.node_ref().is_alive()
    }

    /// Whether it will run at exit; false of a dead one.
    pub(crate) fn at_exit(&self) -> bool {
        self.is_alive() && self.node_ref().at_exit()
    }

    pub(crate) fn set_at_exit(&self, on: bool) {
        if self.is_alive() {
            // SAFETY: alive, so it is registered; the reference is the hold.
            unsafe { REGISTRY.set_at_exit(self.node(), on) };
            self.set_declared(on);
        }
    }

    /// Whether the guard is to do what this has declared, if it is alive and has.
    pub(crate) fn set_declared(&self, on: bool) {
        self.kept().iter().for_each(|content| actions::set_at_exit(content, on));
    }

    pub(crate) fn repr(&self) -> PyResult<Bound<'py, PyString>> {
        let name = self.0.get_type().name()?;
        let address = self.0.as_ptr() as usize;
        let text = match self.content()?.and_then(|content| content.object()) {
            None => format!("<{name} object at {address:#x}; dead>"),
            Some(object) => {
                let of = object.get_type().name()?.repr()?;
                let at = object.as_ptr() as usize;
                format!("<{name} object at {address:#x}; for {of} at {at:#x}>")
            }
        };
        Ok(PyString::new(self.0.py(), &text))
    }
}

/// Takes the content out, and ends the claim: what comes next may do with the finalizer what it
/// likes.
#[inline]
pub(crate) fn take<'py>(py: Python<'py>, claim: Claim<'_, PythonDoor>) -> BoundContent<'py> {
    // SAFETY: a node of this door, held by whoever claims.
    let memory = unsafe { Memory::of(claim.node()) };
    // SAFETY: claimed.
    let content = unsafe { Memory::content(memory) }.take();
    // SAFETY: whoever claims has a hold.
    unsafe { kept::is_taken(py, memory) };
    drop(claim);
    content.expect("a finalizer is loaded before it is registered").into_bound(py)
}

/// The four parts, as Python programs get them.
pub(crate) fn as_tuple<'py>(
    object: Bound<'py, PyAny>,
    callback: BoundCallback<'py>,
) -> PyResult<Bound<'py, PyTuple>> {
    let [function, arguments, keywords] = callback.with_dict()?.into_parts()?;
    PyTuple::new(object.py(), [object.clone(), function, arguments, keywords])
}
