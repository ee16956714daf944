//! What was not to be declared: it is never written down, and fails when its turn comes.

use crate::actions::{About, Action, Kind, Performed, Terms};
use crate::bytes::Writer;
use crate::failure::Failure;

/// In no journal, and not among the kinds.
static KIND: Kind = Kind { code: 0, name: "refused", rank: 0, read: |_| None };

/// With the reason.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) String);

impl Action for Refused {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn subject(&self) -> String {
        self.0.clone()
    }

    fn about(&self) -> About<'_> {
        About::Nothing
    }

    fn ends_with_boot(&self) -> bool {
        true
    }

    fn is_known(&self) -> bool {
        false
    }

    fn confirm(&mut self) -> Result<bool, Failure> {
        Err(Failure::refusal(self.0.clone()))
    }

    fn perform(&self, _: &Terms) -> Result<Performed, Failure> {
        Err(Failure::refusal(self.0.clone()))
    }

    fn write(&self, _: &mut Writer) {
        debug_assert!(false, "it is never written down");
    }
}
