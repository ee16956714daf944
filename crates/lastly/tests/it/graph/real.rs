//! The real thing: objects of several kinds, whose references tell the model of themselves.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::panicking;

use lastly::{Gc, Trace, Tracer, Weak, unsize};

use super::model::{Owner, model};
use super::perform::{message, value_drops};
use super::steps::{Act, Kind};

/// A counted reference, known to the model.
pub(crate) struct Ref {
    /// `None` when it is being dropped, or given up.
    pointer: Option<Pointer>,
    pub(crate) id: usize,
    owner: Owner,
}

impl Ref {
    /// Of a pointer that the model knows of.
    pub(crate) fn known(pointer: Pointer, id: usize) -> Self {
        Self { pointer: Some(pointer), id, owner: Owner::Root }
    }

    pub(crate) fn new(pointer: Pointer, id: usize, owner: Owner) -> Self {
        model(|it| it.add(owner, id));
        Self { pointer: Some(pointer), id, owner }
    }

    pub(crate) fn clone_for(&self, owner: Owner) -> Self {
        Self::new(self.pointer().clone(), self.id, owner)
    }

    pub(crate) fn give(&mut self, owner: Owner) {
        model(|it| it.shift(self.owner, owner, self.id));
        self.owner = owner;
    }

    pub(crate) fn pointer(&self) -> &Pointer {
        self.pointer.as_ref().expect("not being dropped")
    }

    pub(crate) fn pointer_mut(&mut self) -> &mut Pointer {
        self.pointer.as_mut().expect("not being dropped")
    }

    /// Gives up the pointer; the model is told otherwise.
    pub(crate) fn give_up(mut self) -> Pointer {
        self.pointer.take().expect("not being dropped")
    }
}

impl Drop for Ref {
    fn drop(&mut self) {
        let Some(pointer) = self.pointer.take() else { return };
        model(|it| it.remove(self.owner, self.id));
        let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(pointer))) else { return };
        if panicking() {
            // Two at once would abort.
            model(|it| it.sink(&message(&*payload)));
        } else {
            resume_unwind(payload);
        }
    }
}

#[derive(Clone, Trace)]
pub(crate) enum Pointer {
    Node(Gc<Node>),
    Rough(Gc<Rough>),
    Dyn(Gc<dyn Vertex>),
    Leaf(Gc<Leaf>),
}

/// The same, weak.
pub(crate) enum Way {
    Node(Weak<Node>),
    Rough(Weak<Rough>),
    Dyn(Weak<dyn Vertex>),
    Leaf(Weak<Leaf>),
}

/// The same for each kind of pointer.
macro_rules! each {
    ($pointer:expr, $type:ident, $it:ident => $work:expr) => {
        match $pointer {
            $type::Node($it) => $work,
            $type::Rough($it) => $work,
            $type::Dyn($it) => $work,
            $type::Leaf($it) => $work,
        }
    };
}

impl Pointer {
    pub(crate) fn new(kind: Kind, body: Body) -> Self {
        match kind {
            Kind::Node => Self::Node(Gc::new(Node(body))),
            Kind::Rough => Self::Rough(Gc::new(Rough { fuse: Cell::new(Fuse::Whole), body })),
            Kind::Dyn => Self::Dyn(unsize!(Gc::new(Node(body)) => dyn Vertex)),
            Kind::Leaf => Self::Leaf(Gc::new(Leaf(body))),
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        each!(self, Self, it => Gc::is_alive(it))
    }

    pub(crate) fn body(&self) -> Option<&Body> {
        each!(self, Self, it => Gc::try_deref(it).map(Vertex::body))
    }

    /// What can refer to others.
    pub(crate) fn node(&self) -> Option<&Body> {
        if let Self::Leaf(_) = self { None } else { self.body() }
    }

    pub(crate) fn strong_count(&self) -> usize {
        each!(self, Self, it => Gc::strong_count(it))
    }

    pub(crate) fn weak_count(&self) -> usize {
        each!(self, Self, it => Gc::weak_count(it))
    }

    pub(crate) fn downgrade(&self) -> Way {
        match self {
            Self::Node(it) => Way::Node(Gc::downgrade(it)),
            Self::Rough(it) => Way::Rough(Gc::downgrade(it)),
            Self::Dyn(it) => Way::Dyn(Gc::downgrade(it)),
            Self::Leaf(it) => Way::Leaf(Gc::downgrade(it)),
        }
    }

    pub(crate) fn body_mut(&mut self) -> Option<&mut Body> {
        match self {
            Self::Node(it) => Gc::get_mut(it).map(|it| &mut it.0),
            Self::Rough(it) => Gc::get_mut(it).map(|it| &mut it.body),
            Self::Dyn(it) => Gc::get_mut(it).map(|it| it.body_mut()),
            Self::Leaf(it) => Gc::get_mut(it).map(|it| &mut it.0),
        }
    }
}

impl Way {
    pub(crate) fn upgrade(&self) -> Option<Pointer> {
        match self {
            Self::Node(it) => it.upgrade().map(Pointer::Node),
            Self::Rough(it) => it.upgrade().map(Pointer::Rough),
            Self::Dyn(it) => it.upgrade().map(Pointer::Dyn),
            Self::Leaf(it) => it.upgrade().map(Pointer::Leaf),
        }
    }

    pub(crate) fn strong_count(&self) -> usize {
        each!(self, Self, it => it.strong_count())
    }
}

/// What all objects are made of.
#[derive(Trace)]
pub(crate) struct Body {
    #[trace(skip)]
    pub(crate) id: usize,
    #[trace(skip)]
    pub(crate) acts: [Act; 2],
    pub(crate) edges: RefCell<Vec<Ref>>,
    #[trace(skip)]
    pub(crate) hidden: RefCell<Vec<Ref>>,
    /// The last field to go.
    #[trace(skip)]
    _end: End,
}

impl Body {
    pub(crate) fn new(id: usize, acts: [Act; 2], edges: Vec<Ref>) -> Self {
        Self { id, acts, edges: RefCell::new(edges), hidden: RefCell::default(), _end: End(id) }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        value_drops(self);
    }
}

struct End(usize);

impl Drop for End {
    fn drop(&mut self) {
        model(|it| it.drop_ends(self.0));
    }
}

pub(crate) trait Vertex {
    fn body(&self) -> &Body;
    fn body_mut(&mut self) -> &mut Body;
}

#[derive(Trace)]
pub(crate) struct Node(pub(crate) Body);

/// Its `Trace` is written by hand, and may panic.
pub(crate) struct Rough {
    pub(crate) fuse: Cell<Fuse>,
    pub(crate) body: Body,
}

/// What an object's `Trace` does.
#[derive(Clone, Copy)]
pub(crate) enum Fuse {
    Whole,
    /// Panics.
    Blown,
    /// Panics after so many more times, once.
    Burns(u8),
}

/// Its `Trace` says that it owns nothing, which is true: nobody gives it a reference.
pub(crate) struct Leaf(pub(crate) Body);

macro_rules! vertex {
    ($type:ident, $body:tt) => {
        impl Vertex for $type {
            fn body(&self) -> &Body {
                &self.$body
            }

            fn body_mut(&mut self) -> &mut Body {
                &mut self.$body
            }
        }
    };
}
vertex!(Node, 0);
vertex!(Rough, body);
vertex!(Leaf, 0);

// SAFETY: finds what the derived implementation of its body does, or less.
unsafe impl Trace for Rough {
    fn trace(&self, tracer: &mut Tracer) {
        model(|it| it.trace(self.body.id));
        match self.fuse.get() {
            Fuse::Whole => return self.body.trace(tracer),
            Fuse::Blown => {}
            Fuse::Burns(0) => self.fuse.set(Fuse::Whole),
            Fuse::Burns(times) => {
                self.fuse.set(Fuse::Burns(times - 1));
                return self.body.trace(tracer);
            }
        }
        // Having found something already.
        if let Ok(edges) = self.body.edges.try_borrow() {
            edges.iter().take(1).for_each(|edge| edge.trace(tracer));
        }
        model(|it| it.surprise());
        resume_unwind(Box::new("trace"));
    }
}

// SAFETY: owns none.
unsafe impl Trace for Leaf {
    fn trace(&self, _: &mut Tracer) {}

    fn is_leaf() -> bool {
        true
    }
}

// SAFETY: finds the one that it owns.
unsafe impl Trace for Ref {
    fn trace(&self, tracer: &mut Tracer) {
        self.pointer.trace(tracer);
    }
}
