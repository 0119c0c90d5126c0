//! What stands around a token: the choice `NegotiationToken` and, around the first one, the framing of
//! RFC 2743 3.1.

use crate::error::{DecodeError, DecodeErrorKind};
use alloc::vec::Vec;
use ntlm::der::{Der, Element, ObjectIdentifier, encode, tag};

/// The longest token that is read, in bytes: more than Windows sends of any mechanism.
pub(crate) const MAX_TOKEN_LENGTH: usize = 0x2_0000;

/// The identifier of SPNEGO itself: 1.3.6.1.5.5.2.
const SPNEGO: ObjectIdentifier<'static> = ObjectIdentifier(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02]);

/// `NegotiationToken`'s choices.
pub(crate) const NEG_TOKEN_INIT: u8 = tag::context(0);
pub(crate) const NEG_TOKEN_RESP: u8 = tag::context(1);

/// The mechanism named by the framing of an initial token; `None` where there is no framing.
pub(crate) fn this_mech(token: &[u8]) -> Option<ObjectIdentifier<'_>> {
    let mut framed = Der::new(token).inside(tag::application(0)).ok()?;
    framed.expect(tag::OID).ok().map(|mech| ObjectIdentifier(mech.content))
}

/// Whether the framing names another mechanism than SPNEGO.
pub(crate) fn foreign(token: &[u8]) -> Option<ObjectIdentifier<'_>> {
    this_mech(token).filter(|mech| *mech != SPNEGO)
}

/// The chosen element, with or without the framing: some frame every token, others none. What
/// follows the token is ignored, as Windows does.
pub(crate) fn open(token: &[u8]) -> Result<Element<'_>, DecodeError> {
    if token.len() > MAX_TOKEN_LENGTH {
        let kind = DecodeErrorKind::TooLong;
        return Err(DecodeError { kind, field: CHOICE, offset: MAX_TOKEN_LENGTH });
    }
    let mut outer = Der::new(token);
    if outer.peek_tag() != Some(tag::application(0)) {
        return outer.element().map_err(|der| DecodeError::of(der, CHOICE));
    }
    let field = "InitialContextToken";
    let mut framed =
        outer.inside(tag::application(0)).map_err(|der| DecodeError::of(der, field))?;
    let mech = framed.expect(tag::OID).map_err(|der| DecodeError::of(der, "thisMech"))?;
    if ObjectIdentifier(mech.content) != SPNEGO {
        let kind = DecodeErrorKind::WrongValue;
        return Err(DecodeError { kind, field: "thisMech", offset: mech.offset });
    }
    let chosen = framed.element().map_err(|der| DecodeError::of(der, CHOICE))?;
    framed.finish().map_err(|der| DecodeError::of(der, field))?;
    Ok(chosen)
}

/// The initial token around a `NegTokenInit` or `NegTokenInit2`.
pub(crate) fn initial(chosen: &[u8]) -> Vec<u8> {
    encode(tag::application(0), &[&encode(tag::OID, &[SPNEGO.0]), chosen])
}

/// The name of the choice, for errors.
pub(crate) const CHOICE: &str = "NegotiationToken";
