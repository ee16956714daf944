//! Chains of deaths: not deeper than the stack.
//!
//! What a finalizer held may be the last that holds the next object, whose finalizer holds the next:
//! each death happens inside the one before. The interpreter bounds that for its containers, but not
//! for functions, methods or partials, and in some versions only at thousands of levels. So it is
//! bounded here: from a certain depth on, what a finalizer held waits, and the outermost level lets
//! go of it. Callbacks do not wait; only what they held does.

use std::cell::Cell;

use crate::object::{BoundContent, Content};

/// As deep as the interpreter lets its own containers go.
const DEEPEST: usize = 50;

struct Nesting {
    depth: Cell<usize>,
    waiting: Cell<Vec<Content>>,
}

thread_local! {
    static NESTING: Nesting =
        const { Nesting { depth: Cell::new(0), waiting: Cell::new(Vec::new()) } };
}

/// Lets go of what a finalizer held, now or, deep down, soon.
#[inline]
pub(crate) fn let_go(content: BoundContent<'_>) {
    if content.ends_nothing() {
        return drop(content);
    }
    // Without thread-locals, at the very end of a thread, there is no long chain left.
    let content = Cell::new(Some(content));
    let _ = NESTING.try_with(|nesting| content.take().map(|content| nesting.let_go(content)));
}

impl Nesting {
    fn let_go(&self, content: BoundContent<'_>) {
        let py = content.weakref.py();
        let depth = self.depth.get();
        if depth == DEEPEST {
            let mut waiting = self.waiting.take();
            waiting.push(content.unbind());
            return self.waiting.set(waiting);
        }
        self.depth.set(depth + 1);
        drop(content);
        if depth == 0 {
            while let Some(content) = self.next() {
                drop(content.into_bound(py));
            }
        }
        self.depth.set(depth);
    }

    fn next(&self) -> Option<Content> {
        let mut waiting = self.waiting.take();
        let next = waiting.pop();
        self.waiting.set(waiting);
        next
    }
}
