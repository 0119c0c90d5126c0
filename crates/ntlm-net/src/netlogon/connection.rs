//! An association with a controller, over TCP or inside a named pipe of SMB.

use super::error::ControllerError;
use crate::fresh::random;
use crate::smb::{self, Client, File, Who};
use ntlm::Credential;
use ntlm_netlogon::client::{Answer, Association, AssociationError, Binding, Call, Security};
use ntlm_netlogon::pdu::{SyntaxId, split};
use ntlm_smb::file::{AccessMask, CreateDisposition};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

/// The most of an answer that a pipe gives at once, in bytes.
const MAX_FROM_PIPE: usize = 0x11_0000;

/// A connection on which PDUs go to and fro.
#[derive(Debug)]
pub(super) struct Connection {
    carrier: Carrier,
    /// What has come and is no whole fragment yet.
    received: Zeroizing<Vec<u8>>,
}

#[derive(Debug)]
enum Carrier {
    Tcp(TcpStream),
    Pipe(Box<Client>, File),
}

impl Connection {
    pub(super) async fn tcp(address: SocketAddr) -> Result<Self, ControllerError> {
        let stream = TcpStream::connect(address).await.map_err(ControllerError::io("connect"))?;
        stream.set_nodelay(true).map_err(ControllerError::io("connect"))?;
        Ok(Self { carrier: Carrier::Tcp(stream), received: Zeroizing::default() })
    }

    /// Opens a pipe of `host`, in a signed session as `account`.
    pub(super) async fn pipe(
        host: &str,
        address: SocketAddr,
        mut options: smb::Options,
        account: &Credential,
        name: &str,
    ) -> Result<Self, ControllerError> {
        options.client.require_signing = true;
        options.client.server_name = host.into();
        options.client.ntlm.target_name = Some(format!("cifs/{host}").as_str().into());
        let mut client = Client::connect(address, options).await?;
        client.log_on(Who::Account(account)).await?;
        let ipc = client.tree_connect(&format!(r"\\{host}\IPC$")).await?;
        let access = AccessMask::READ_DATA | AccessMask::WRITE_DATA;
        let file = client.open(ipc, name, access, CreateDisposition::OPEN).await?;
        let carrier = Carrier::Pipe(Box::new(client), file);
        Ok(Self { carrier, received: Zeroizing::default() })
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), ControllerError> {
        match &mut self.carrier {
            Carrier::Tcp(stream) => {
                stream.write_all(bytes).await.map_err(ControllerError::io("send"))
            }
            Carrier::Pipe(client, file) => {
                let answer = client.transceive(*file, bytes, MAX_FROM_PIPE).await?;
                self.received.extend_from_slice(&Zeroizing::new(answer));
                Ok(())
            }
        }
    }

    /// The next fragment.
    async fn fragment(&mut self) -> Result<Zeroizing<Vec<u8>>, ControllerError> {
        loop {
            if let Some((fragment, rest)) = split(&self.received)? {
                let (fragment, rest) = (fragment.to_vec(), rest.to_vec());
                self.received = Zeroizing::new(rest);
                return Ok(Zeroizing::new(fragment));
            }
            let mut part = Zeroizing::new([0; 8 << 10]);
            let part = match &mut self.carrier {
                Carrier::Tcp(stream) => {
                    let read = stream.read(part.as_mut_slice()).await;
                    let length = read.map_err(ControllerError::io("receive"))?;
                    part.get(..length).unwrap_or_default().to_vec()
                }
                Carrier::Pipe(client, file) => client.read(*file, 0, 8 << 10).await?,
            };
            let part = Zeroizing::new(part);
            if part.is_empty() {
                return Err(ControllerError::ClosedByController);
            }
            self.received.extend_from_slice(&part);
        }
    }
}

/// A connection that is bound to an interface. After an error it is of no use.
#[derive(Debug)]
pub(super) struct Bound {
    connection: Connection,
    /// `None` while a call is under way, and after it failed.
    association: Option<Association>,
}

impl Bound {
    pub(super) async fn bind(
        mut connection: Connection,
        interface: SyntaxId,
        security: Security,
    ) -> Result<Self, ControllerError> {
        let started = Binding::start(interface, security).map_err(AssociationError::from);
        let (bind, binding) = started?;
        connection.send(&bind).await?;
        let association = binding.receive(&connection.fragment().await?)?;
        Ok(Self { connection, association: Some(association) })
    }

    /// Whether a call may be made.
    pub(super) const fn is_open(&self) -> bool {
        self.association.is_some()
    }

    /// Calls a method. What it answers may have keys in it.
    pub(super) async fn call(
        &mut self,
        call: &Call,
    ) -> Result<Zeroizing<Vec<u8>>, ControllerError> {
        let association = self.association.take().ok_or(ControllerError::ClosedByController)?;
        let confounders = std::iter::from_fn(|| random().ok());
        let (sent, mut calling) = association.call(call.opnum, &call.stub, confounders)?;
        self.connection.send(&sent).await?;
        loop {
            let mut fragment = self.connection.fragment().await?;
            match calling.receive(&mut fragment)? {
                Answer::More(more) => calling = more,
                Answer::Whole(stub, association) => {
                    self.association = Some(association);
                    return Ok(Zeroizing::new(stub));
                }
            }
        }
    }
}
