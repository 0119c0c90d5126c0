//! What is known of an account: its hashes.

use super::{Lmowfv1, Ntowfv1, Password, lmowf_v1, ntowf_v1};
use crate::crypto::equal;
use crate::text::CodePage;

/// The secret of an account: its NT hash and, where there is one, its LM hash.
#[derive(Debug)]
pub struct AccountSecret {
    nt_hash: Ntowfv1,
    lm_hash: Option<Lmowfv1>,
}

impl AccountSecret {
    /// From a password. The LM hash is computed where it can be.
    #[must_use]
    pub fn from_password(password: &Password, code_page: CodePage) -> Self {
        Self { nt_hash: ntowf_v1(password), lm_hash: lmowf_v1(password, code_page) }
    }

    /// From stored hashes.
    #[must_use]
    pub const fn from_hashes(nt_hash: Ntowfv1, lm_hash: Option<Lmowfv1>) -> Self {
        Self { nt_hash, lm_hash }
    }

    /// NTOWFv1.
    #[must_use]
    pub const fn nt_hash(&self) -> &Ntowfv1 {
        &self.nt_hash
    }

    /// LMOWFv1, where there is one.
    #[must_use]
    pub const fn lm_hash(&self) -> Option<&Lmowfv1> {
        self.lm_hash.as_ref()
    }

    /// Whether both hashes are the same, compared in constant time.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let lm_hashes_are_same = match (&self.lm_hash, &other.lm_hash) {
            (Some(ours), Some(theirs)) => equal(ours.expose(), theirs.expose()),
            (None, None) => true,
            _ => false,
        };
        equal(self.nt_hash.expose(), other.nt_hash.expose()) && lm_hashes_are_same
    }

    /// A second copy, which has to be asked for.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self {
            nt_hash: self.nt_hash.duplicate(),
            lm_hash: self.lm_hash.as_ref().map(Lmowfv1::duplicate),
        }
    }
}
