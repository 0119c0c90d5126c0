//! A logon without proof (MS-NLMP 3.2.5.1.2).

use crate::keys::KeySchedule;

/// An anonymous logon: there are keys, but everyone can compute them, so there is no session.
#[derive(Debug)]
pub struct AnonymousLogon {
    keys: KeySchedule,
}

impl AnonymousLogon {
    pub(crate) const fn new(keys: KeySchedule) -> Self {
        Self { keys }
    }

    /// Every key, for display.
    #[must_use]
    pub const fn keys(&self) -> &KeySchedule {
        &self.keys
    }
}
