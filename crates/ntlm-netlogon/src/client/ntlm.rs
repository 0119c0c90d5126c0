//! bind with a logon: NTLM as it is, or in SPNEGO (MS-RPCE 3.3.1.5.2).

use super::association::{Association, CALL_ID, Protection};
use super::bind::{AUTH_CONTEXT_ID, accepted, presentation, token};
use super::error::{AssociationError, BindError};
use crate::error::TooLong;
use crate::pdu::{Auth3, AuthLevel, AuthType, Body, PacketType, Pdu, PfcFlags, SyntaxId};
use crate::protect::{NtlmProtection, ProtectError, SecurityContext};
use alloc::boxed::Box;
use alloc::vec::Vec;
use ntlm::{Client, ClientConfig, Credential, Fresh, Protection as NtlmService, Session};
use ntlm_spnego::{
    Initiated, InitiatedLogon, Initiator, InitiatorConfig, InitiatorStep, PeerError, Responding,
};

/// What carries the logon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NtlmPackage {
    /// NTLM as it is: auth_type WINNT.
    Ntlmssp,
    /// SPNEGO, which offers NTLM alone: auth_type GSS_NEGOTIATE.
    Spnego,
}

/// How somebody logs on, and what is protected then.
#[derive(Clone, Debug)]
pub struct NtlmBindingConfig {
    /// What carries the logon.
    pub package: NtlmPackage,
    /// CONNECT, PKT, PKT_INTEGRITY or PKT_PRIVACY.
    pub auth_level: AuthLevel,
    /// NTLM's own part. What it insists on protecting follows from `auth_level`.
    pub client: ClientConfig,
}

/// What stays the same from leg to leg.
#[derive(Clone, Copy, Debug)]
struct Legs {
    interface: SyntaxId,
    context: SecurityContext,
}

impl Legs {
    fn pdu(&self, body: Body<'_>, auth_value: &[u8]) -> Result<Vec<u8>, TooLong> {
        let mut pfc_flags = PfcFlags::WHOLE;
        // What it would change is Netlogon's and Kerberos's; NTLM covers headers or it does not.
        let signs = self.context.auth_level >= AuthLevel::PKT_INTEGRITY;
        let offers = matches!(body, Body::Bind(_) | Body::AlterContext(_));
        pfc_flags.set(PfcFlags::SUPPORT_HEADER_SIGN, signs && offers);
        let verifier = Some(self.context.verifier(&[], auth_value));
        Pdu { rpc_vers_minor: 0, pfc_flags, call_id: CALL_ID, body, verifier }.encode()
    }

    fn alter_context(&self, token: &[u8]) -> Result<Vec<u8>, TooLong> {
        self.pdu(Body::AlterContext(presentation(self.interface)), token)
    }

    const fn is_protected(&self) -> bool {
        self.context.auth_level.0 > AuthLevel::CONNECT.0
    }

    fn association(
        &self,
        session: Option<Session>,
        max_recv_frag: u16,
    ) -> Result<Association, BindError> {
        let protection = match session {
            Some(session) if self.is_protected() => {
                Protection::Ntlm(Box::new(NtlmProtection::new(session, self.context)?))
            }
            None if self.is_protected() => return Err(BindError::Anonymous),
            _ => Protection::Nothing,
        };
        Ok(Association::new(protection, max_recv_frag))
    }
}

/// bind was sent with NEGOTIATE, and its answer is awaited.
#[derive(Debug)]
pub struct NtlmBinding {
    legs: Legs,
    mechanism: Mechanism,
}

#[derive(Debug)]
enum Mechanism {
    Ntlmssp(Client),
    Spnego(Initiator),
}

impl NtlmBinding {
    /// Begins an association with `interface`: what to send.
    ///
    /// # Errors
    ///
    /// A level at which nobody logs on, or that does not exist.
    pub fn start(
        interface: SyntaxId,
        config: NtlmBindingConfig,
    ) -> Result<(Vec<u8>, Self), AssociationError> {
        let NtlmBindingConfig { package, auth_level, client } = config;
        let protection = match auth_level {
            AuthLevel::CONNECT => NtlmService::None,
            AuthLevel::PKT | AuthLevel::PKT_INTEGRITY => NtlmService::Sign,
            AuthLevel::PKT_PRIVACY => NtlmService::Seal,
            _ => return Err(ProtectError::UnknownLevel(auth_level).into()),
        };
        let client = ClientConfig { protection, ..client };
        let (auth_type, token, mechanism) = match package {
            NtlmPackage::Ntlmssp => {
                let (token, client) = Client::start(client);
                (AuthType::WINNT, token, Mechanism::Ntlmssp(client))
            }
            NtlmPackage::Spnego => {
                let config = InitiatorConfig { client, ..InitiatorConfig::default() };
                let (token, initiator) = Initiator::start(config);
                (AuthType::GSS_NEGOTIATE, token, Mechanism::Spnego(initiator))
            }
        };
        let auth_context_id = AUTH_CONTEXT_ID;
        let context = SecurityContext { auth_type, auth_level, auth_context_id };
        let legs = Legs { interface, context };
        let bind = legs.pdu(Body::Bind(presentation(interface)), &token)?;
        Ok((bind, Self { legs, mechanism }))
    }

    /// Takes the answer. Now somebody has to prove who he is.
    ///
    /// # Errors
    ///
    /// The server refuses, or answers something else.
    pub fn receive(self, fragment: &[u8]) -> Result<NtlmResponding, BindError> {
        let Self { legs, mechanism } = self;
        let pdu = Pdu::decode(fragment)?;
        let max_recv_frag = accepted(&pdu, PacketType::BIND_ACK)?.max_recv_frag;
        let token = token(&pdu, legs.context)?;
        let challenged = match mechanism {
            Mechanism::Ntlmssp(client) => Challenged::Ntlmssp(client, token.to_vec()),
            Mechanism::Spnego(initiator) => match initiator.step(token)? {
                InitiatorStep::Respond(responding) => Challenged::Spnego(responding),
                // NTLM alone was offered, and it is not done before its CHALLENGE.
                _ => return Err(PeerError::MechanismNotOffered.into()),
            },
        };
        Ok(NtlmResponding { legs, challenged, max_recv_frag })
    }
}

/// The CHALLENGE is there, and somebody has to prove who he is.
#[derive(Debug)]
pub struct NtlmResponding {
    legs: Legs,
    challenged: Challenged,
    max_recv_frag: u16,
}

#[derive(Debug)]
enum Challenged {
    Ntlmssp(Client, Vec<u8>),
    Spnego(Responding),
}

/// What is sent as the answer to CHALLENGE.
#[derive(Debug)]
pub enum Responded {
    /// auth3, before the first call. It has no answer.
    Auth3(Vec<u8>, Association),
    /// alter_context, whose answer is awaited.
    AlterContext(Vec<u8>, NtlmAltering),
}

impl NtlmResponding {
    /// Answers with a proof.
    ///
    /// # Errors
    ///
    /// The CHALLENGE is not acceptable, or a name cannot be sent.
    pub fn respond(self, credential: &Credential, fresh: Fresh) -> Result<Responded, BindError> {
        let Self { legs, challenged, max_recv_frag } = self;
        match challenged {
            Challenged::Ntlmssp(client, challenge) => {
                let (token, established) = client.respond(&challenge, credential, fresh)?;
                let session = established.into_session();
                auth3(legs, &token, Some(session), max_recv_frag)
            }
            Challenged::Spnego(responding) => {
                let (token, initiator) = responding.respond(credential, fresh)?.send()?;
                let initiator = Box::new(initiator);
                Ok(NtlmAltering { legs, initiator, max_recv_frag }.next(&token)?)
            }
        }
    }

    /// Answers without one, which only level CONNECT allows.
    ///
    /// # Errors
    ///
    /// [`BindError::Anonymous`] at another level, and as [`NtlmResponding::respond`].
    pub fn respond_anonymously(self, fresh: Fresh) -> Result<Responded, BindError> {
        let Self { legs, challenged, max_recv_frag } = self;
        if legs.is_protected() {
            return Err(BindError::Anonymous);
        }
        match challenged {
            Challenged::Ntlmssp(client, challenge) => {
                let (token, _) = client.respond_anonymously(&challenge, fresh)?;
                auth3(legs, &token, None, max_recv_frag)
            }
            Challenged::Spnego(responding) => {
                let (token, initiator) = responding.respond_anonymously(fresh)?.send()?;
                let initiator = Box::new(initiator);
                Ok(NtlmAltering { legs, initiator, max_recv_frag }.next(&token)?)
            }
        }
    }
}

fn auth3(
    legs: Legs,
    token: &[u8],
    session: Option<Session>,
    max_recv_frag: u16,
) -> Result<Responded, BindError> {
    let auth3 = legs.pdu(Body::Auth3(Auth3 { pad: [0; 4] }), token)?;
    Ok(Responded::Auth3(auth3, legs.association(session, max_recv_frag)?))
}

/// alter_context was sent with SPNEGO's next token, and its answer is awaited.
#[derive(Debug)]
pub struct NtlmAltering {
    legs: Legs,
    initiator: Box<Initiator>,
    max_recv_frag: u16,
}

/// What the answer to alter_context comes to.
#[derive(Debug)]
pub enum Altered {
    /// The server accepts the logon.
    Bound(Association),
    /// SPNEGO has another token, whose answer is awaited.
    AlterContext(Vec<u8>, NtlmAltering),
}

impl NtlmAltering {
    fn next(self, token: &[u8]) -> Result<Responded, TooLong> {
        Ok(Responded::AlterContext(self.legs.alter_context(token)?, self))
    }

    /// Takes the answer.
    ///
    /// # Errors
    ///
    /// The server refuses, or answers something else.
    pub fn receive(self, fragment: &[u8]) -> Result<Altered, BindError> {
        let Self { legs, initiator, max_recv_frag } = self;
        let pdu = Pdu::decode(fragment)?;
        accepted(&pdu, PacketType::ALTER_CONTEXT_RESP)?;
        let initiated = match pdu.verifier {
            None => initiator.finish_without_token()?,
            Some(_) => match initiator.step(token(&pdu, legs.context)?)? {
                InitiatorStep::Done(initiated) => initiated,
                InitiatorStep::Continue(token, initiator) => {
                    let initiator = Box::new(initiator);
                    let next = Self { legs, initiator, max_recv_frag };
                    return Ok(Altered::AlterContext(legs.alter_context(&token)?, next));
                }
                _ => return Err(PeerError::MechanismChanged.into()),
            },
        };
        let Initiated { logon, .. } = initiated;
        let session = match logon {
            InitiatedLogon::Account(session) => Some(*session),
            InitiatedLogon::Anonymous(_) => None,
        };
        legs.association(session, max_recv_frag).map(Altered::Bound)
    }
}
