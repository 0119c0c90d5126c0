//! Operations of SMB 2 and 3.

use super::error::Error;
use super::wire::Wire;
use crate::fresh;
use ntlm::Credential;
use ntlm::text::Utf16String;
use ntlm_smb::client::{
    ClientError, Connection, PeerError, Purpose, Received, Request, Session, SessionSetup,
    SessionToBind, SetupStep, Tree,
};
use ntlm_smb::file::{
    AccessMask, CreateDisposition, CreateOptions, FileAttributes, ImpersonationLevel, ShareAccess,
};
use ntlm_smb::smb2::{
    BareMessage, CloseRequest, CloseResponse, Command, CreateRequest, CreateResponse, CtlCode,
    FileId, Header, IoctlRequest, IoctlResponse, OplockLevel, ReadRequest, ReadResponse,
    TreeConnectRequest, WriteRequest, WriteResponse,
};
use ntlm_smb::{NtStatus, Part, TooLong};

/// One connection of SMB 2 or 3 with at most one session on it.
#[derive(Debug)]
pub(super) struct Smb2 {
    pub(super) connection: Box<Connection>,
    pub(super) session: Option<Box<Session>>,
    /// What FSCTL_VALIDATE_NEGOTIATE_INFO came to, once it was asked.
    pub(super) negotiate_info: Option<bool>,
}

/// A response, whole.
struct Response {
    header: Header,
    message: Vec<u8>,
}

impl Response {
    fn refused(&self) -> Error {
        let command = self.header.command.name().unwrap_or("request");
        ClientError::Refused { command, status: self.header.status }.into()
    }
}

impl Smb2 {
    /// Half a credit's worth: every server takes as much in one request.
    const MOST: u32 = 32 << 10;

    pub(super) const fn new(connection: Box<Connection>) -> Self {
        Self { connection, session: None, negotiate_info: None }
    }

    /// Makes a session, or authenticates again where there is one.
    pub(super) async fn log_on(
        &mut self,
        wire: &mut Wire,
        who: Option<&Credential>,
    ) -> Result<(), Error> {
        let purpose = self.session.take().map_or(Purpose::New, Purpose::Again);
        self.set_up(wire, purpose, who).await
    }

    pub(super) async fn bind(
        &mut self,
        wire: &mut Wire,
        session: SessionToBind,
        who: &Credential,
    ) -> Result<(), Error> {
        self.set_up(wire, Purpose::Bind(Box::new(session)), Some(who)).await
    }

    async fn set_up(
        &mut self,
        wire: &mut Wire,
        purpose: Purpose,
        who: Option<&Credential>,
    ) -> Result<(), Error> {
        let connection = &mut self.connection;
        let (request, mut setup) = SessionSetup::start(connection, purpose)?;
        let mut deadline = wire.deadline();
        wire.send(&request.packet, deadline).await?;
        for _ in 0..wire.limits().messages_before_answer {
            let mut packet = wire.receive(deadline).await?;
            let (request, next) = match setup.receive(connection, &mut packet)? {
                SetupStep::NotYet(same) => {
                    setup = same;
                    continue;
                }
                SetupStep::Done(session) => {
                    self.session = Some(session);
                    return Ok(());
                }
                SetupStep::Continue(request, next) => (request, next),
                SetupStep::Respond(responding) => {
                    let fresh = fresh().map_err(|error| Error::Io("random bytes", error))?;
                    let answer = match who {
                        Some(credential) => responding.respond(credential, fresh)?,
                        None => responding.respond_anonymously(fresh)?,
                    };
                    answer.send(connection)?
                }
            };
            setup = next;
            deadline = wire.deadline();
            wire.send(&request.packet, deadline).await?;
        }
        Err(Error::TooManyMessages)
    }

    /// One request and its response.
    async fn call(
        &mut self,
        wire: &mut Wire,
        tree: Option<&Tree>,
        command: Command,
        encode: impl FnOnce(&Header) -> Result<Vec<u8>, TooLong>,
    ) -> Result<Response, Error> {
        let session = self.session.as_mut().ok_or(Error::NotLoggedOn)?;
        let request = self.connection.request(session, tree, command, encode)?;
        self.answer(wire, request).await
    }

    async fn answer(&mut self, wire: &mut Wire, request: Request) -> Result<Response, Error> {
        let session = self.session.as_ref().ok_or(Error::NotLoggedOn)?;
        let deadline = wire.deadline();
        wire.send(&request.packet, deadline).await?;
        for _ in 0..wire.limits().messages_before_answer {
            let mut packet = wire.receive(deadline).await?;
            match self.connection.receive(&request.pending, session, &mut packet)? {
                Received::NotYet => {}
                Received::Response { header, message } => {
                    return Ok(Response { header, message: message.to_vec() });
                }
            }
        }
        Err(Error::TooManyMessages)
    }

    /// The same, where anything but success is a refusal.
    async fn call_successfully(
        &mut self,
        wire: &mut Wire,
        tree: Option<&Tree>,
        command: Command,
        encode: impl FnOnce(&Header) -> Result<Vec<u8>, TooLong>,
    ) -> Result<Vec<u8>, Error> {
        let response = self.call(wire, tree, command, encode).await?;
        match response.header.status {
            NtStatus::SUCCESS => Ok(response.message),
            _ => Err(response.refused()),
        }
    }

    async fn call_bare(
        &mut self,
        wire: &mut Wire,
        tree: Option<&Tree>,
        command: Command,
    ) -> Result<(), Error> {
        let encode = |header: &Header| Ok(BareMessage.encode(header).to_vec());
        let message = self.call_successfully(wire, tree, command, encode).await?;
        BareMessage::decode(&message)?;
        Ok(())
    }

    pub(super) async fn echo(&mut self, wire: &mut Wire) -> Result<(), Error> {
        self.call_bare(wire, None, Command::ECHO).await
    }

    pub(super) async fn log_off(&mut self, wire: &mut Wire) -> Result<(), Error> {
        self.call_bare(wire, None, Command::LOGOFF).await?;
        self.session = None;
        Ok(())
    }

    pub(super) async fn tree_connect(
        &mut self,
        wire: &mut Wire,
        path: &str,
    ) -> Result<Tree, Error> {
        let path = Utf16String::from(path).to_le_bytes();
        let encode = |header: &Header| {
            TreeConnectRequest { flags: 0, path: Part::new(&path) }.encode(header)
        };
        let message = self.call_successfully(wire, None, Command::TREE_CONNECT, encode).await?;
        let session = self.session.as_mut().ok_or(Error::NotLoggedOn)?;
        let tree = self.connection.tree(session, &message)?;
        if self.negotiate_info.is_none() && self.connection.validates_negotiate_info(session) {
            let request = self.connection.validate_negotiate_info(session, &tree)?;
            let response = self.answer(wire, request).await?;
            let confirmed =
                self.connection.check_negotiate_info(&response.header, &response.message);
            // Whatever it is, no refusal: nobody may go on after this.
            let confirmed = confirmed.map_err(|error| match error {
                ClientError::Refused { .. } => PeerError::NegotiateInfo("answer").into(),
                error => Error::Client(error),
            })?;
            self.negotiate_info = Some(confirmed);
        }
        Ok(tree)
    }

    pub(super) async fn tree_disconnect(
        &mut self,
        wire: &mut Wire,
        tree: &Tree,
    ) -> Result<(), Error> {
        self.call_bare(wire, Some(tree), Command::TREE_DISCONNECT).await
    }

    pub(super) async fn open(
        &mut self,
        wire: &mut Wire,
        tree: &Tree,
        name: &str,
        desired_access: AccessMask,
        create_disposition: CreateDisposition,
    ) -> Result<FileId, Error> {
        let name = Utf16String::from(name).to_le_bytes();
        let encode = |header: &Header| {
            let request = CreateRequest {
                requested_oplock_level: OplockLevel::NONE,
                impersonation_level: ImpersonationLevel::IMPERSONATION,
                desired_access,
                file_attributes: FileAttributes::empty(),
                share_access: ShareAccess::READ | ShareAccess::WRITE,
                create_disposition,
                create_options: CreateOptions::NON_DIRECTORY_FILE,
                name: Part::new(&name),
                create_contexts: Part::default(),
            };
            request.encode(header)
        };
        let message = self.call_successfully(wire, Some(tree), Command::CREATE, encode).await?;
        Ok(CreateResponse::decode(&message)?.file_id)
    }

    pub(super) async fn close(
        &mut self,
        wire: &mut Wire,
        tree: &Tree,
        file_id: FileId,
    ) -> Result<(), Error> {
        let encode = |header: &Header| Ok(CloseRequest { flags: 0, file_id }.encode(header));
        let message = self.call_successfully(wire, Some(tree), Command::CLOSE, encode).await?;
        CloseResponse::decode(&message)?;
        Ok(())
    }

    /// At most `length` bytes, and at most what one request fetches. None at the end of a file.
    pub(super) async fn read(
        &mut self,
        wire: &mut Wire,
        tree: &Tree,
        file_id: FileId,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, Error> {
        Ok(self.read_part(wire, tree, file_id, offset, length).await?.0)
    }

    /// The same, and whether a message of a pipe goes on behind it.
    async fn read_part(
        &mut self,
        wire: &mut Wire,
        tree: &Tree,
        file_id: FileId,
        offset: u64,
        length: u32,
    ) -> Result<(Vec<u8>, bool), Error> {
        let length = length.min(Self::MOST).min(self.connection.negotiated().max_read_size);
        let encode = |header: &Header| {
            let request = ReadRequest {
                padding: 0x50,
                flags: 0,
                length,
                offset,
                file_id,
                minimum_count: 0,
                remaining_bytes: 0,
            };
            Ok(request.encode(header))
        };
        let response = self.call(wire, Some(tree), Command::READ, encode).await?;
        match response.header.status {
            NtStatus::SUCCESS | NtStatus::BUFFER_OVERFLOW => {
                let read = ReadResponse::decode(&response.message)?;
                let data = read.data.bytes();
                if u32::try_from(data.len()).map_or(true, |got| got > length) {
                    return Err(PeerError::TooMuchData.into());
                }
                Ok((data.to_vec(), response.header.status == NtStatus::BUFFER_OVERFLOW))
            }
            NtStatus::END_OF_FILE => Ok((Vec::new(), false)),
            _ => Err(response.refused()),
        }
    }

    /// How many bytes were written: at most what one request carries.
    pub(super) async fn write(
        &mut self,
        wire: &mut Wire,
        tree: &Tree,
        file_id: FileId,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, Error> {
        let most = Self::MOST.min(self.connection.negotiated().max_write_size);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let data = data.get(..most).unwrap_or(data);
        let encode = |header: &Header| {
            let data = Part::new(data);
            WriteRequest { offset, file_id, remaining_bytes: 0, flags: 0, data }.encode(header)
        };
        let message = self.call_successfully(wire, Some(tree), Command::WRITE, encode).await?;
        let count = WriteResponse::decode(&message)?.count;
        match usize::try_from(count) {
            Ok(count) if count <= data.len() => Ok(count),
            _ => Err(PeerError::TooMuchData.into()),
        }
    }

    /// Writes to a pipe and reads its answer, whole as far as `most` bytes.
    pub(super) async fn transceive(
        &mut self,
        wire: &mut Wire,
        tree: &Tree,
        file_id: FileId,
        data: &[u8],
        most: usize,
    ) -> Result<Vec<u8>, Error> {
        let max_output_response = Self::MOST.min(self.connection.negotiated().max_transact_size);
        let encode = |header: &Header| {
            let request = IoctlRequest {
                ctl_code: CtlCode::PIPE_TRANSCEIVE,
                file_id,
                max_input_response: 0,
                max_output_response,
                flags: IoctlRequest::IS_FSCTL,
                input: Part::new(data),
                output: Part::default(),
            };
            request.encode(header)
        };
        let response = self.call(wire, Some(tree), Command::IOCTL, encode).await?;
        let mut more = match response.header.status {
            NtStatus::SUCCESS => false,
            NtStatus::BUFFER_OVERFLOW => true,
            _ => return Err(response.refused()),
        };
        let decoded = IoctlResponse::decode(&response.message)?;
        let mut output = decoded.output.bytes().to_vec();
        while more {
            let left = u32::try_from(most.saturating_sub(output.len())).unwrap_or(u32::MAX);
            let (rest, goes_on) = self.read_part(wire, tree, file_id, 0, left).await?;
            if rest.is_empty() && goes_on {
                return Err(PeerError::TooMuchData.into());
            }
            more = goes_on;
            output.extend_from_slice(&rest);
        }
        if output.len() > most { Err(PeerError::TooMuchData.into()) } else { Ok(output) }
    }
}
