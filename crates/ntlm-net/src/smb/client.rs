//! The client: connects, logs on, uses shares, files and pipes.

use super::error::Error;
use super::operations::{File, FileForm, Tree, TreeForm};
use super::smb1::Smb1;
use super::smb2::Smb2;
use super::wire::{Limits, Record, Wire};
use crate::fresh::random;
use ntlm::Credential;
use ntlm_smb::Transport;
use ntlm_smb::client::{
    ClientConfig, ClientError, Logon, NegotiateRandom, NegotiateStep, Negotiating, SessionToBind,
    Smb1Negotiated, Unavailable,
};
use ntlm_smb::file::{AccessMask, CreateDisposition};
use ntlm_smb::keys::Step;
use std::net::SocketAddr;

/// What a client is set up with.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is offered and insisted on.
    pub client: ClientConfig,
    /// Direct TCP, or a NetBIOS session first.
    pub transport: Transport,
    /// ClientGuid, by which a server knows which connections may share a session; drawn if `None`.
    pub client_guid: Option<[u8; 16]>,
    /// What a connection may cost.
    pub limits: Limits,
    /// Where what is sent and received is kept, if anywhere.
    pub record: Option<Record>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client: ClientConfig::default(),
            transport: Transport::DirectTcp,
            client_guid: None,
            limits: Limits::default(),
            record: None,
        }
    }
}

/// Who logs on.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// An account.
    Account(&'a Credential),
    /// Nobody. The server gives no key, so nothing is signed or encrypted.
    Anonymous,
}

impl<'a> Who<'a> {
    const fn credential(self) -> Option<&'a Credential> {
        match self {
            Self::Account(credential) => Some(credential),
            Self::Anonymous => None,
        }
    }
}

/// A connection to an SMB server, with at most one session on it.
///
/// Every operation has a limit of time. One that is dropped before it is done closes the connection,
/// for nobody could say where in the stream it stands; so does every error but a refusal.
///
/// ```no_run
/// use ntlm::keys::{AccountSecret, Password};
/// use ntlm::text::CodePage;
/// use ntlm::{AccountName, Credential};
/// use ntlm_net::smb::{Client, Options, Who};
/// use ntlm_smb::file::{AccessMask, CreateDisposition};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let password = Password::from("Wonderland-42");
/// let secret = AccountSecret::from_password(&password, CodePage::Cp850);
/// let alice = Credential { name: AccountName::parse("alice"), secret };
/// let mut client = Client::connect("127.0.0.1:445".parse()?, Options::default()).await?;
/// client.log_on(Who::Account(&alice)).await?;
/// let share = client.tree_connect(r"\\127.0.0.1\data").await?;
/// let access = AccessMask::GENERIC_READ;
/// let file = client.open(share, "hello.txt", access, CreateDisposition::OPEN).await?;
/// println!("{}", String::from_utf8_lossy(&client.read(file, 0, 100).await?));
/// client.log_off().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client {
    /// `None` while an operation is under way, and once the connection is closed.
    wire: Option<Wire>,
    protocol: ProtocolState,
    require_signing: bool,
    client_guid: [u8; 16],
}

#[derive(Debug)]
enum ProtocolState {
    Smb1(Smb1),
    Smb2(Smb2),
}

/// What was negotiated.
#[derive(Clone, Copy, Debug)]
pub enum Negotiated<'a> {
    /// SMB1.
    Smb1(&'a Smb1Negotiated),
    /// SMB 2 or 3.
    Smb2(&'a ntlm_smb::client::Negotiated),
}

/// Runs an operation of either generation with the wire taken out, and puts it back unless the
/// connection must end.
macro_rules! operation {
    ($self:ident, |$wire:ident| smb1($smb1:ident) $one:expr, smb2($smb2:ident) $two:expr) => {{
        let mut taken = $self.wire.take().ok_or(Error::Closed)?;
        let $wire = &mut taken;
        let result = match &mut $self.protocol {
            ProtocolState::Smb1($smb1) => $one,
            ProtocolState::Smb2($smb2) => $two,
        };
        if result.as_ref().err().is_none_or(Error::is_refusal) {
            $self.wire = Some(taken);
        }
        result
    }};
}

impl Client {
    /// Connects and negotiates.
    ///
    /// # Errors
    ///
    /// There is no server, or none that has what is insisted on.
    pub async fn connect(address: SocketAddr, options: Options) -> Result<Self, Error> {
        let Options { client, transport, client_guid, limits, record } = options;
        let require_signing = client.require_signing;
        let mut wire = Wire::connect(address, transport, limits, record).await?;
        let io = |error| Error::Io("random bytes", error);
        let client_guid = client_guid.map_or_else(random, Ok).map_err(io)?;
        let random = NegotiateRandom { client_guid, salt: random().map_err(io)? };
        let (mut message, mut negotiating) = Negotiating::start(client, random)?;
        let protocol = loop {
            let deadline = wire.deadline();
            wire.send(&message, deadline).await?;
            let response = wire.receive(deadline).await?;
            match negotiating.receive(&response)? {
                NegotiateStep::Again(next, again) => (message, negotiating) = (next, *again),
                NegotiateStep::Smb1(connection) => {
                    break ProtocolState::Smb1(Smb1::new(connection));
                }
                NegotiateStep::Smb2(connection) => {
                    break ProtocolState::Smb2(Smb2::new(connection));
                }
            }
        };
        Ok(Self { wire: Some(wire), protocol, require_signing, client_guid })
    }

    /// What was negotiated.
    #[must_use]
    pub fn negotiated(&self) -> Negotiated<'_> {
        match &self.protocol {
            ProtocolState::Smb1(smb1) => Negotiated::Smb1(smb1.connection.negotiated()),
            ProtocolState::Smb2(smb2) => Negotiated::Smb2(smb2.connection.negotiated()),
        }
    }

    /// ClientGuid, for [`Options::client_guid`] of a connection that is to share the session.
    #[must_use]
    pub const fn client_guid(&self) -> [u8; 16] {
        self.client_guid
    }

    /// How the logon went; `None` before it.
    #[must_use]
    pub fn logon(&self) -> Option<&Logon> {
        match &self.protocol {
            ProtocolState::Smb1(smb1) => smb1.connection.session().map(|(logon, _)| logon),
            ProtocolState::Smb2(smb2) => smb2.session.as_ref().map(|session| session.logon()),
        }
    }

    /// Every key of NTLM, where [`ClientConfig::keep_keys`] says so; they are given away once.
    pub fn take_ntlm_steps(&mut self) -> Vec<ntlm::keys::Step> {
        match &mut self.protocol {
            ProtocolState::Smb1(smb1) => smb1.connection.take_ntlm_steps(),
            ProtocolState::Smb2(smb2) => {
                let session = smb2.session.as_mut();
                session.map(|session| session.take_ntlm_steps()).unwrap_or_default()
            }
        }
    }

    /// Every key of SMB, with the rule that chose it; none before the logon.
    #[must_use]
    pub fn smb_steps(&self) -> Vec<Step> {
        match &self.protocol {
            ProtocolState::Smb1(smb1) => {
                let keys = smb1.connection.session().map(|(_, keys)| keys.steps().collect());
                keys.unwrap_or_default()
            }
            ProtocolState::Smb2(smb2) => {
                let keys = smb2.session.as_ref().map(|session| session.keys().steps().collect());
                keys.unwrap_or_default()
            }
        }
    }

    /// Whether messages of the session are signed where they are not encrypted.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        match &self.protocol {
            ProtocolState::Smb1(smb1) => smb1.connection.is_signed(),
            ProtocolState::Smb2(smb2) => {
                smb2.session.as_ref().is_some_and(|session| session.has_keys())
            }
        }
    }

    /// Whether everything in the session is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        match &self.protocol {
            ProtocolState::Smb1(_) => false,
            ProtocolState::Smb2(smb2) => {
                smb2.session.as_ref().is_some_and(|session| session.encrypts())
            }
        }
    }

    /// Whether the server confirmed what it saw and said in NEGOTIATE, by
    /// FSCTL_VALIDATE_NEGOTIATE_INFO; `false` where it is too old to. `None` where it was not asked:
    /// under 3.1.1 the signed logon confirms it, and SMB1 has no such thing.
    #[must_use]
    pub const fn negotiate_info_confirmed(&self) -> Option<bool> {
        match &self.protocol {
            ProtocolState::Smb1(_) => None,
            ProtocolState::Smb2(smb2) => smb2.negotiate_info,
        }
    }

    /// Logs on; where somebody is logged on already, authenticates again (SMB 2 and 3 only).
    ///
    /// # Errors
    ///
    /// The server refuses, or what is insisted on does not come about.
    pub async fn log_on(&mut self, who: Who<'_>) -> Result<(), Error> {
        if matches!(who, Who::Anonymous) && self.require_signing {
            return Err(ClientError::from(Unavailable::Signing).into());
        }
        if let ProtocolState::Smb1(smb1) = &self.protocol
            && smb1.connection.session().is_some()
        {
            return Err(ClientError::from(Unavailable::Operation("SMB1: a second logon")).into());
        }
        let who = who.credential();
        operation!(self, |wire| smb1(smb1) smb1.log_on(wire, who).await,
            smb2(smb2) smb2.log_on(wire, who).await)
    }

    /// What a further connection needs to join the session of this one.
    ///
    /// # Errors
    ///
    /// Nobody is logged on, or the dialect is older than 3.0.
    pub fn session_to_bind(&mut self) -> Result<SessionToBind, Error> {
        match &mut self.protocol {
            ProtocolState::Smb1(_) => Err(ClientError::from(Unavailable::Binding).into()),
            ProtocolState::Smb2(smb2) => {
                let session = smb2.session.as_mut().ok_or(Error::NotLoggedOn)?;
                Ok(session.to_bind()?)
            }
        }
    }

    /// Joins the session of another connection, as the same account.
    ///
    /// # Errors
    ///
    /// The server refuses, or this connection negotiated something else than that one.
    pub async fn bind(
        &mut self,
        session: SessionToBind,
        account: &Credential,
    ) -> Result<(), Error> {
        operation!(self, |wire| smb1(_smb1) {
            let _ = wire;
            Err(ClientError::from(Unavailable::Binding).into())
        }, smb2(smb2) smb2.bind(wire, session, account).await)
    }

    /// Whether the server is there.
    ///
    /// # Errors
    ///
    /// It does not answer as it must.
    pub async fn echo(&mut self) -> Result<(), Error> {
        operation!(self, |wire| smb1(smb1) smb1.echo(wire).await,
            smb2(smb2) smb2.echo(wire).await)
    }

    /// Uses a share: `\\server\share`. Below 3.1.1 the server is asked on the first whether NEGOTIATE
    /// was as it seemed.
    ///
    /// # Errors
    ///
    /// The server refuses, or NEGOTIATE was tampered with.
    pub async fn tree_connect(&mut self, path: &str) -> Result<Tree, Error> {
        let form = operation!(self,
            |wire| smb1(smb1) smb1.tree_connect(wire, path).await.map(TreeForm::Smb1),
            smb2(smb2) smb2.tree_connect(wire, path).await.map(TreeForm::Smb2));
        form.map(Tree)
    }

    /// Lets a share go.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn tree_disconnect(&mut self, tree: Tree) -> Result<(), Error> {
        operation!(self, |wire| smb1(smb1) match tree.0 {
            TreeForm::Smb1(tid) => smb1.tree_disconnect(wire, tid).await,
            TreeForm::Smb2(_) => Err(Error::Closed),
        }, smb2(smb2) match &tree.0 {
            TreeForm::Smb2(tree) => smb2.tree_disconnect(wire, tree).await,
            TreeForm::Smb1(_) => Err(Error::Closed),
        })
    }

    /// Opens a file or, on `IPC$`, a pipe.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn open(
        &mut self,
        tree: Tree,
        name: &str,
        access: AccessMask,
        disposition: CreateDisposition,
    ) -> Result<File, Error> {
        operation!(self, |wire| smb1(smb1) match tree.0 {
            TreeForm::Smb1(tid) => {
                let fid = smb1.open(wire, tid, name, access, disposition).await;
                fid.map(|fid| File(FileForm::Smb1 { tid, fid }))
            }
            TreeForm::Smb2(_) => Err(Error::Closed),
        }, smb2(smb2) match tree.0 {
            TreeForm::Smb2(tree) => {
                let file_id = smb2.open(wire, &tree, name, access, disposition).await;
                file_id.map(|file_id| File(FileForm::Smb2 { tree, file_id }))
            }
            TreeForm::Smb1(_) => Err(Error::Closed),
        })
    }

    /// Reads at most `length` bytes, and at most what one request fetches. None at the end.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn read(&mut self, file: File, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        operation!(self, |wire| smb1(smb1) match file.0 {
            FileForm::Smb1 { tid, fid } => smb1.read(wire, tid, fid, offset, length).await,
            FileForm::Smb2 { .. } => Err(Error::Closed),
        }, smb2(smb2) match &file.0 {
            FileForm::Smb2 { tree, file_id } => {
                smb2.read(wire, tree, *file_id, offset, length).await
            }
            FileForm::Smb1 { .. } => Err(Error::Closed),
        })
    }

    /// Writes, and says how many bytes: at most what one request carries.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn write(&mut self, file: File, offset: u64, data: &[u8]) -> Result<usize, Error> {
        operation!(self, |wire| smb1(smb1) match file.0 {
            FileForm::Smb1 { tid, fid } => smb1.write(wire, tid, fid, offset, data).await,
            FileForm::Smb2 { .. } => Err(Error::Closed),
        }, smb2(smb2) match &file.0 {
            FileForm::Smb2 { tree, file_id } => {
                smb2.write(wire, tree, *file_id, offset, data).await
            }
            FileForm::Smb1 { .. } => Err(Error::Closed),
        })
    }

    /// Writes to a pipe and reads its answer, whole as far as `most` bytes.
    ///
    /// # Errors
    ///
    /// The server refuses, or the answer is longer.
    pub async fn transceive(
        &mut self,
        pipe: File,
        data: &[u8],
        most: usize,
    ) -> Result<Vec<u8>, Error> {
        operation!(self, |wire| smb1(smb1) match pipe.0 {
            FileForm::Smb1 { tid, fid } => smb1.transceive(wire, tid, fid, data, most).await,
            FileForm::Smb2 { .. } => Err(Error::Closed),
        }, smb2(smb2) match &pipe.0 {
            FileForm::Smb2 { tree, file_id } => {
                smb2.transceive(wire, tree, *file_id, data, most).await
            }
            FileForm::Smb1 { .. } => Err(Error::Closed),
        })
    }

    /// Closes a file or pipe.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn close(&mut self, file: File) -> Result<(), Error> {
        operation!(self, |wire| smb1(smb1) match file.0 {
            FileForm::Smb1 { tid, fid } => smb1.close(wire, tid, fid).await,
            FileForm::Smb2 { .. } => Err(Error::Closed),
        }, smb2(smb2) match &file.0 {
            FileForm::Smb2 { tree, file_id } => smb2.close(wire, tree, *file_id).await,
            FileForm::Smb1 { .. } => Err(Error::Closed),
        })
    }

    /// Ends the session.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn log_off(&mut self) -> Result<(), Error> {
        operation!(self, |wire| smb1(smb1) smb1.log_off(wire).await,
            smb2(smb2) smb2.log_off(wire).await)
    }
}
