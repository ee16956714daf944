//! The pauses of the threads of a round, as their ledger tells of them.

use std::collections::BTreeMap;

/// By process and thread.
#[derive(Default)]
pub(crate) struct Pauses<'a>(BTreeMap<(&'a str, &'a str), Vec<Pause>>);

/// One of several that a thread may be in. Which of them it ends is no matter: the last is taken for it.
struct Pause {
    begin: usize,
    /// It was about to end, and has ended. Neither, if it was forgotten.
    about_to_end: Option<usize>,
    end: Option<usize>,
}

impl<'a> Pauses<'a> {
    pub(crate) fn begin(&mut self, process: &'a str, thread: &'a str, at: usize) {
        let pause = Pause { begin: at, about_to_end: None, end: None };
        self.0.entry((process, thread)).or_default().push(pause);
    }

    pub(crate) fn about_to_end(
        &mut self,
        process: &'a str,
        thread: &'a str,
        at: usize,
    ) -> Option<()> {
        let mut pauses = self.0.get_mut(&(process, thread))?.iter_mut().rev();
        pauses.find(|it| it.about_to_end.is_none())?.about_to_end = Some(at);
        Some(())
    }

    pub(crate) fn end(&mut self, process: &'a str, thread: &'a str, at: usize) -> Option<()> {
        let pauses = self.0.get_mut(&(process, thread))?.iter_mut();
        // At the end of one another may begin and end, in a callback: the last that was about to.
        let open = pauses.filter(|it| it.about_to_end.is_some() && it.end.is_none());
        open.max_by_key(|it| it.about_to_end)?.end = Some(at);
        Some(())
    }

    /// One in which this thread was then.
    fn around<'b>(&'b self, process: &'b str, thread: &'b str, at: usize) -> Option<&'b Pause> {
        let mut pauses = self.0.get(&(process, thread))?.iter();
        pauses.find(|it| it.begin < at && it.about_to_end.is_none_or(|end| end > at))
    }

    pub(crate) fn is_paused(&self, process: &str, thread: &str, at: usize) -> bool {
        self.around(process, thread, at).is_some()
    }

    /// When what waits from this moment on, if it does, has waited to the end: of all pauses that the
    /// thread is in. The moments just before and just after that; `None`: it does not come.
    pub(crate) fn over(
        &self,
        process: &str,
        thread: &str,
        at: usize,
    ) -> Option<(usize, Option<usize>)> {
        let mut over = (at, Some(at));
        while let Some(pause) = self.around(process, thread, over.0) {
            over = (pause.about_to_end?, pause.end);
        }
        Some(over)
    }
}
