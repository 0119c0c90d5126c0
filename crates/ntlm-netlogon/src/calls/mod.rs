//! The stubs of the calls that lead to a verdict (MS-NRPC 3.5.4, C706 appendix O).

mod channel;
mod endpoint;
mod observed;
mod sam_logon;
mod validation;

pub use channel::{
    Authenticate3Request, Authenticate3Response, CapabilitiesRequest, CapabilitiesResponse,
    ChallengeRequest, ChallengeResponse, SecureChannelType,
};
pub use endpoint::{MapRequest, MapResponse};
pub use observed::{InteractiveInfo, LogonInformation, ObservedLogon};
pub use sam_logon::{
    LogonLevel, NetworkInfo, ParameterControl, SamLogonMethod, SamLogonRequest, SamLogonResponse,
};
pub use validation::{Group, Sid, SidAttributes, UserFlags, Validation, ValidationLevel};

use crate::error::DecodeError;
use crate::keys::Authenticator;
use crate::ndr::{NdrReader, NdrWriter};

fn read_authenticator(
    r: &mut NdrReader<'_>,
    field: &'static str,
) -> Result<Authenticator, DecodeError> {
    let credential = r.array(field)?;
    let timestamp = r.u32(field)?;
    Ok(Authenticator { credential, timestamp })
}

fn write_authenticator(authenticator: &Authenticator, w: &mut NdrWriter) {
    w.array(&authenticator.credential);
    w.u32(authenticator.timestamp);
}
