//! Messages of SMB 2 and 3 (MS-SMB2 2.2), as far as sessions need them.
//!
//! Every body is read from a message that begins with its header, so all places count from there.

mod bare;
mod compound;
mod context;
mod create;
mod data;
mod error_response;
mod header;
mod info;
mod ioctl;
mod negotiate;
mod session_setup;
mod transform_header;
mod tree_connect;

pub use bare::BareMessage;
pub use compound::{Compound, CompoundMessage, for_each_message};
pub use context::{
    ContextData, ContextListBuilder, ContextType, NegotiateContext, NegotiateContexts, SHA_512,
};
pub use create::{CloseRequest, CloseResponse, CreateRequest, CreateResponse, FileId, OplockLevel};
pub use data::{ReadRequest, ReadResponse, WriteRequest, WriteResponse};
pub use error_response::ErrorResponse;
pub use header::{Command, Header, HeaderFlags, HeaderId};
pub use info::{
    FileInfoClass, InfoType, QueryInfoRequest, QueryInfoResponse, SetInfoRequest, SetInfoResponse,
};
pub use ioctl::{
    CtlCode, IoctlRequest, IoctlResponse, ValidateNegotiateInfoRequest,
    ValidateNegotiateInfoResponse,
};
pub use negotiate::{Capabilities, NegotiateRequest, NegotiateResponse, SecurityMode};
pub use session_setup::{
    SessionFlags, SessionSetupFlags, SessionSetupRequest, SessionSetupResponse,
};
pub use transform_header::{CompressionHeader, TransformHeader};
pub use tree_connect::{TreeConnectRequest, TreeConnectResponse};
