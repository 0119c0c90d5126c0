//! Messages and signatures of SMB1, from LANMAN 1.0 to NT LM 0.12 (MS-CIFS, MS-SMB).
//!
//! "Extended security" here means GSS tokens in session setup. NTLM's "extended session security"
//! is another thing: either can be without the other.

mod bare;
mod block;
mod create;
mod data;
mod echo;
mod header;
mod negotiate;
mod sequence;
mod session_setup;
mod signing;
mod transaction;
mod tree_connect;

pub use bare::BareMessage;
pub use block::{Block, Blocks};
pub use create::{CloseRequest, NtCreateRequest, NtCreateResponse};
pub use data::{ReadRequest, ReadResponse, WriteRequest, WriteResponse};
pub use echo::Echo;
pub use header::{Command, Flags, Flags2, Header};
pub use negotiate::{
    Capabilities, NegotiateLanMan, NegotiateNtLm, NegotiateRequest, NegotiateResponse,
    SecurityMode, ServerSecurity,
};
pub use sequence::{SequenceNumbers, SequenceRule, SequenceRuleDoc};
pub use session_setup::{Action, Credentials, SessionSetupRequest, SessionSetupResponse};
pub use signing::{Signer, Verified};
pub use transaction::{TransactionRequest, TransactionResponse};
pub use tree_connect::{
    OptionalSupport, TreeConnectFlags, TreeConnectRequest, TreeConnectResponse,
};
