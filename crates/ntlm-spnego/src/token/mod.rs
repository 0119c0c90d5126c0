//! Tokens: bytes, which know nothing of keys and states (RFC 4178 4.2, MS-SPNG 2.2).
//!
//! In comes strict DER only, out goes DER; what is read and written again is the same, but for fields
//! of later versions and what follows a token.

mod fields;
pub(crate) mod frame;
mod init;
mod init2;
mod resp;

pub use init::NegTokenInit;
pub use init2::{NegHints, NegTokenInit2};
pub use resp::NegTokenResp;

use crate::error::DecodeError;
use frame::{NEG_TOKEN_INIT, NEG_TOKEN_RESP};
use ntlm::der::{Element, tag};

/// Any token, for whoever looks on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NegotiationToken<'a> {
    /// The initiator's first.
    Init(NegTokenInit<'a>),
    /// The acceptor's first. Without negHints it looks as the initiator's does, and is then
    /// [`Init`](Self::Init).
    Init2(NegTokenInit2<'a>),
    /// Each one after it.
    Resp(NegTokenResp<'a>),
}

impl<'a> NegotiationToken<'a> {
    /// Reads a token, whichever it is.
    ///
    /// # Errors
    ///
    /// The field that is wrong, and where it stands.
    pub fn decode(token: &'a [u8]) -> Result<Self, DecodeError> {
        let chosen = frame::open(token)?;
        match chosen.tag {
            NEG_TOKEN_RESP => NegTokenResp::read(chosen).map(Self::Resp),
            NEG_TOKEN_INIT if has_hints(chosen) => NegTokenInit2::read(chosen).map(Self::Init2),
            _ => NegTokenInit::read(chosen).map(Self::Init),
        }
    }
}

/// Field 3 is negHints in the one and mechListMIC in the other; the tag inside tells.
fn has_hints(chosen: Element<'_>) -> bool {
    let Ok(mut fields) = chosen.reader().inside(tag::SEQUENCE) else { return false };
    let field = core::iter::from_fn(|| fields.element().ok())
        .find(|element| element.tag == tag::context(3));
    field.is_some_and(|field| field.reader().peek_tag() == Some(tag::SEQUENCE))
}
