//! `mechListMIC`: NTLM's signature over the initiator's mechTypes (RFC 4178 5, MS-SPNG 3.1.5.1).
//!
//! It is the ordinary next signature of its direction, so sequence numbers go on from it; but the
//! RC4 streams are set back to where they were (MS-SPNG 3.2.5.1, 3.3.5.1).

use crate::error::PeerError;
use crate::mech_type_list::MechTypeList;
use ntlm::Session;

/// What protects the choice of the mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MechListMic {
    /// The other end's mechListMIC holds: both saw the same list.
    Valid,
    /// None came, or one that proves nothing because signing was not negotiated; and none is due:
    /// NTLM was the initiator's first choice.
    Absent,
    /// There was no list: raw NTLM.
    NoList,
}

/// When it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Always: NTLM was not the first choice, or somebody asked for it.
    Always,
    /// Where AUTHENTICATE has a MIC and messages can be signed, as Windows and Samba have it.
    WithMessageMic,
}

impl Due {
    /// Whether it has to come; an error where it has to and cannot.
    pub(crate) fn required(self, session: &Session, has_mic: bool) -> Result<bool, PeerError> {
        let protects = session.negotiate_flags().protects();
        match self {
            Self::Always if !protects => Err(PeerError::NoIntegrity),
            Self::Always => Ok(true),
            Self::WithMessageMic => Ok(has_mic && protects),
        }
    }
}

/// What a mechListMIC that holds comes to: without SIGN and SEAL every signature is the same 16 bytes
/// (MS-NLMP 3.4.4.3), and pyspnego sends them.
pub(crate) const fn proved(session: &Session) -> MechListMic {
    if session.negotiate_flags().protects() { MechListMic::Valid } else { MechListMic::Absent }
}

/// Signs the list.
pub(crate) fn make(session: &mut Session, list: &MechTypeList<'_>) -> Result<[u8; 16], PeerError> {
    with_rc4_set_back(session, |session| session.sign(list.as_bytes()))
}

/// Verifies the other end's signature.
pub(crate) fn check(
    session: &mut Session,
    list: &MechTypeList<'_>,
    mech_list_mic: &[u8],
) -> Result<(), PeerError> {
    with_rc4_set_back(session, |session| session.verify(list.as_bytes(), mech_list_mic))
}

fn with_rc4_set_back<T>(
    session: &mut Session,
    operation: impl FnOnce(&mut Session) -> Result<T, ntlm::SessionError>,
) -> Result<T, PeerError> {
    let rc4 = session.save_rc4();
    let result = operation(session);
    session.restore_rc4(rc4);
    result.map_err(PeerError::MechListMic)
}
