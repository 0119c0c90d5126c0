//! Fragments under an NTLM session, raw or from SPNEGO (MS-RPCE 3.3.1.5.2, MS-NLMP 3.4).

use super::parts::Parts;
use super::{ProtectError, SecurityContext, Service};
use ntlm::keys::Direction;
use ntlm::{Buffer, Session, SessionError};

/// Signs and seals with an NTLM session. SPNEGO hands its session on as it is: its mechListMIC has
/// used up the first sequence number.
#[derive(Debug)]
pub struct NtlmProtection {
    session: Session,
    context: SecurityContext,
    service: Service,
}

impl NtlmProtection {
    /// Length of auth_value in bytes.
    pub const AUTH_LENGTH: usize = 16;

    /// Takes the session of a logon that is done.
    ///
    /// # Errors
    ///
    /// The level does not exist.
    pub fn new(session: Session, context: SecurityContext) -> Result<Self, ProtectError> {
        let level = context.auth_level;
        let service = Service::of(level).ok_or(ProtectError::UnknownLevel(level))?;
        Ok(Self { session, context, service })
    }

    /// Protects a fragment that goes out. At level CONNECT it stays as it is.
    ///
    /// # Errors
    ///
    /// The fragment has no place for a signature, or the session cannot make one.
    pub fn protect(&mut self, fragment: &mut [u8]) -> Result<(), ProtectError> {
        let Some(mut parts) = self.parts(fragment)? else { return Ok(()) };
        let signature = self.session.seal_buffers(&mut buffers(self.service, &mut parts));
        parts.auth_value.copy_from_slice(&signature.map_err(ProtectError::Ntlm)?);
        Ok(())
    }

    /// Verifies and unseals a fragment that came in. At level CONNECT nothing is looked at.
    ///
    /// # Errors
    ///
    /// It does not hold, in which case a sealed body is wiped.
    pub fn open(&mut self, fragment: &mut [u8]) -> Result<(), ProtectError> {
        let Some(mut parts) = self.parts(fragment)? else { return Ok(()) };
        let signature: [u8; Self::AUTH_LENGTH] = match (&*parts.auth_value).try_into() {
            Ok(signature) => signature,
            Err(_) => return Err(ProtectError::Ntlm(SessionError::InvalidToken)),
        };
        let mut buffers = buffers(self.service, &mut parts);
        self.session.unseal_buffers(&mut buffers, &signature).map_err(ProtectError::Ntlm)
    }

    /// Verifies and unseals a fragment of either direction, for one who looks on: see
    /// [`Session::observe_buffers`]. At level CONNECT nothing is looked at.
    ///
    /// # Errors
    ///
    /// It does not hold, in which case a sealed body is wiped. Only [`ProtectError::Ntlm`] leaves the
    /// key streams where the next fragment needs them.
    pub fn observe(
        &mut self,
        direction: Direction,
        fragment: &mut [u8],
    ) -> Result<(), ProtectError> {
        let Some(mut parts) = self.parts(fragment)? else { return Ok(()) };
        let Ok(signature) = <[u8; Self::AUTH_LENGTH]>::try_from(&*parts.auth_value) else {
            return Err(ProtectError::NoVerifier);
        };
        let mut buffers = buffers(self.service, &mut parts);
        let opened = self.session.observe_buffers(direction, &mut buffers, &signature);
        opened.map_err(ProtectError::Ntlm)
    }

    /// Passes over the number that SPNEGO's mechListMIC takes, for one who looks on.
    pub fn skip_number(&mut self, direction: Direction) {
        self.session.skip_number(direction);
    }

    /// Which security context it is for.
    #[must_use]
    pub const fn context(&self) -> SecurityContext {
        self.context
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    fn parts<'a>(&self, fragment: &'a mut [u8]) -> Result<Option<Parts<'a>>, ProtectError> {
        if self.service == Service::Nothing {
            return Ok(None);
        }
        let parts = Parts::split(fragment, self.context)?;
        match parts.auth_value.len() {
            Self::AUTH_LENGTH => Ok(Some(parts)),
            _ => Err(ProtectError::NoVerifier),
        }
    }
}

/// Extended session security covers all of them, and without it only the body counts.
fn buffers<'a>(service: Service, parts: &'a mut Parts<'_>) -> [Buffer<'a>; 3] {
    let body = match service {
        Service::Sealed => Buffer::Sealed(parts.body),
        _ => Buffer::Signed(parts.body),
    };
    [Buffer::Plain(parts.header), body, Buffer::Plain(parts.sec_trailer)]
}
