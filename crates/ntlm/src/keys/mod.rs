//! Every key of MS-NLMP: one function for each definition, one value for each rule.
//!
//! Which formula computes a key is decided by a function that returns an enum, and the key is
//! computed by matching on that value. [`KeySchedule`] runs all of them in order, for the client,
//! for the server and for whoever looks on; [`Rule::all`] is the reference table.

mod compute;
mod doc;
mod exported;
mod kxkey;
mod mic;
mod owf;
mod response;
mod rule;
mod schedule;
mod sealkey;
mod secret_of_account;
mod session_base_key;
mod signkey;
mod verify;

pub use compute::{ComputedResponses, ResponseInputs, ResponseRule};
pub use doc::{Direction, Input, KeyName, MessageField, NtlmVersion, RuleDoc};
pub use exported::{
    EncryptedRandomSessionKeyRule, ExportedSessionKey, ExportedSessionKeyRule, RandomSessionKey,
    RandomSessionKeyRule, encrypted_random_session_key, exported_session_key, random_session_key,
};
pub use kxkey::{KeyExchangeKey, KeyExchangeKeyRule, KxkeyInputs, kxkey};
pub use mic::{MicRule, mic};
pub use owf::{
    LmowfPrefix, LmowfRule, Lmowfv1, Ntowfv1, Ntowfv2Rule, Password, ResponseKeyLm, ResponseKeyNt,
    lmowf_v1, lmowf_v1_from_oem, lmowf_v2, ntowf_v1, ntowf_v2,
};
pub use response::{
    DomainControllerChallengeRule, NtProofStrRule, ResponseKeyLmRule, ResponseKeyNtRule,
    challenge_for_domain_controller, lm_challenge_response_v1, lm_challenge_response_v2,
    nt_challenge_response_v1, nt_challenge_response_v1_ess, nt_proof_str,
};
pub use rule::{Rule, Step, StepBytes, StepValue, Unknown};
pub use schedule::{Derivation, InvalidSessionKey, KeyExchange, KeySchedule, KeySource};
pub use sealkey::{SealingKey, SealingKeyRule, sealkey};
pub use secret_of_account::AccountSecret;
pub use session_base_key::{
    SessionBaseKey, SessionBaseKeyRule, session_base_key_lm, session_base_key_v1,
    session_base_key_v2,
};
pub use signkey::{SigningKey, SigningKeyRule, signkey};
pub use verify::{Proof, ResponseKind, Responses};
