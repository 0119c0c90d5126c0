//! Operations of SMB1.

use super::error::Error;
use super::wire::Wire;
use crate::fresh;
use ntlm::Credential;
use ntlm::text::Utf16String;
use ntlm_smb::client::{
    ClientError, PeerError, Smb1Connection, Smb1Received, Smb1SessionSetup, Smb1SetupStep,
};
use ntlm_smb::file::{
    AccessMask, CreateDisposition, CreateOptions, FileAttributes, ImpersonationLevel, ShareAccess,
};
use ntlm_smb::smb1::{
    BareMessage, CloseRequest, Command, Echo, Header, NtCreateRequest, NtCreateResponse,
    ReadRequest, ReadResponse, TransactionRequest, TransactionResponse, TreeConnectFlags,
    TreeConnectRequest, TreeConnectResponse, WriteRequest, WriteResponse,
};
use ntlm_smb::{NtStatus, Part, TooLong};

/// One connection of SMB1 with at most one session on it.
#[derive(Debug)]
pub(super) struct Smb1 {
    pub(super) connection: Box<Smb1Connection>,
}

struct Response {
    header: Header,
    message: Vec<u8>,
}

impl Response {
    fn status(&self) -> NtStatus {
        NtStatus(self.header.status)
    }

    fn refused(&self) -> Error {
        let command = self.header.command.name().unwrap_or("request");
        ClientError::Refused { command, status: self.status() }.into()
    }
}

/// No tree.
const NO_TREE: u16 = u16::MAX;

impl Smb1 {
    /// What every server takes in one request, beside headers.
    const MOST: u16 = 4096;

    pub(super) const fn new(connection: Box<Smb1Connection>) -> Self {
        Self { connection }
    }

    pub(super) async fn log_on(
        &mut self,
        wire: &mut Wire,
        who: Option<&Credential>,
    ) -> Result<(), Error> {
        let connection = &mut self.connection;
        let mut step = Smb1SessionSetup::start(connection)?;
        let mut deadline = wire.deadline();
        for _ in 0..wire.limits().messages_before_answer {
            let setup = match step {
                Smb1SetupStep::Done => return Ok(()),
                Smb1SetupStep::NotYet(setup) => setup,
                Smb1SetupStep::Continue(request, setup) => {
                    deadline = wire.deadline();
                    wire.send(&request.packet, deadline).await?;
                    setup
                }
                Smb1SetupStep::Respond(responding) => {
                    let fresh = fresh().map_err(|error| Error::Io("random bytes", error))?;
                    let answer = match who {
                        Some(credential) => responding.respond(connection, credential, fresh)?,
                        None => responding.respond_anonymously(fresh)?,
                    };
                    let (request, setup) = answer.send(connection)?;
                    deadline = wire.deadline();
                    wire.send(&request.packet, deadline).await?;
                    setup
                }
            };
            let message = wire.receive(deadline).await?;
            step = setup.receive(connection, &message)?;
        }
        match step {
            Smb1SetupStep::Done => Ok(()),
            _ => Err(Error::TooManyMessages),
        }
    }

    async fn call(
        &mut self,
        wire: &mut Wire,
        tid: u16,
        command: Command,
        encode: impl FnOnce(&Header) -> Result<Vec<u8>, TooLong>,
    ) -> Result<Response, Error> {
        if self.connection.session().is_none() {
            return Err(Error::NotLoggedOn);
        }
        let request = self.connection.request(tid, command, encode)?;
        let deadline = wire.deadline();
        wire.send(&request.packet, deadline).await?;
        for _ in 0..wire.limits().messages_before_answer {
            let message = wire.receive(deadline).await?;
            match self.connection.receive(&request.pending, &message)? {
                Smb1Received::NotYet => {}
                Smb1Received::Response { header, .. } => return Ok(Response { header, message }),
            }
        }
        Err(Error::TooManyMessages)
    }

    async fn call_successfully(
        &mut self,
        wire: &mut Wire,
        tid: u16,
        command: Command,
        encode: impl FnOnce(&Header) -> Result<Vec<u8>, TooLong>,
    ) -> Result<Vec<u8>, Error> {
        let response = self.call(wire, tid, command, encode).await?;
        match response.status() {
            NtStatus::SUCCESS => Ok(response.message),
            _ => Err(response.refused()),
        }
    }

    async fn call_bare(
        &mut self,
        wire: &mut Wire,
        tid: u16,
        command: Command,
    ) -> Result<(), Error> {
        let encode = |header: &Header| BareMessage.encode(header);
        let message = self.call_successfully(wire, tid, command, encode).await?;
        BareMessage::decode(&message)?;
        Ok(())
    }

    pub(super) async fn echo(&mut self, wire: &mut Wire) -> Result<(), Error> {
        let echo = Echo { number: 1, data: Part::new(b"ntlm") };
        let encode = |header: &Header| echo.encode(header);
        let message = self.call_successfully(wire, NO_TREE, Command::ECHO, encode).await?;
        if Echo::decode(&message)?.data == echo.data {
            Ok(())
        } else {
            Err(PeerError::NotTheResponse("Data").into())
        }
    }

    pub(super) async fn log_off(&mut self, wire: &mut Wire) -> Result<(), Error> {
        self.call_bare(wire, NO_TREE, Command::LOGOFF_ANDX).await
    }

    pub(super) async fn tree_connect(&mut self, wire: &mut Wire, path: &str) -> Result<u16, Error> {
        let path = Utf16String::from(path).to_le_bytes();
        let encode = |header: &Header| {
            let request = TreeConnectRequest {
                flags: TreeConnectFlags::empty(),
                password: Part::new(&[0]),
                path: Part::new(&path),
                service: Part::new(b"?????"),
                unicode: true,
            };
            request.encode(header)
        };
        let command = Command::TREE_CONNECT_ANDX;
        let message = self.call_successfully(wire, NO_TREE, command, encode).await?;
        TreeConnectResponse::decode(&message)?;
        Ok(Header::decode(&message)?.tid)
    }

    pub(super) async fn tree_disconnect(&mut self, wire: &mut Wire, tid: u16) -> Result<(), Error> {
        self.call_bare(wire, tid, Command::TREE_DISCONNECT).await
    }

    pub(super) async fn open(
        &mut self,
        wire: &mut Wire,
        tid: u16,
        name: &str,
        desired_access: AccessMask,
        create_disposition: CreateDisposition,
    ) -> Result<u16, Error> {
        let name = Utf16String::from(format!("\\{name}").as_str()).to_le_bytes();
        let encode = |header: &Header| {
            let request = NtCreateRequest {
                flags: 0,
                root_directory_fid: 0,
                desired_access,
                allocation_size: 0,
                ext_file_attributes: FileAttributes::empty(),
                share_access: ShareAccess::READ | ShareAccess::WRITE,
                create_disposition,
                create_options: CreateOptions::NON_DIRECTORY_FILE,
                impersonation_level: ImpersonationLevel::IMPERSONATION,
                security_flags: 0,
                file_name: Part::new(&name),
                unicode: true,
            };
            request.encode(header)
        };
        let message = self.call_successfully(wire, tid, Command::NT_CREATE_ANDX, encode).await?;
        Ok(NtCreateResponse::decode(&message)?.fid)
    }

    pub(super) async fn close(&mut self, wire: &mut Wire, tid: u16, fid: u16) -> Result<(), Error> {
        let encode =
            |header: &Header| CloseRequest { fid, last_time_modified: u32::MAX }.encode(header);
        let message = self.call_successfully(wire, tid, Command::CLOSE, encode).await?;
        BareMessage::decode(&message)?;
        Ok(())
    }

    /// At most `length` bytes, and at most what one request fetches. None at the end of a file.
    pub(super) async fn read(
        &mut self,
        wire: &mut Wire,
        tid: u16,
        fid: u16,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, Error> {
        Ok(self.read_part(wire, tid, fid, offset, length).await?.0)
    }

    /// The same, and whether a message of a pipe goes on behind it.
    async fn read_part(
        &mut self,
        wire: &mut Wire,
        tid: u16,
        fid: u16,
        offset: u64,
        length: u32,
    ) -> Result<(Vec<u8>, bool), Error> {
        let max_count = u16::try_from(length).unwrap_or(u16::MAX).min(Self::MOST);
        let encode = |header: &Header| {
            let request =
                ReadRequest { fid, offset, max_count, min_count: 0, timeout: 0, remaining: 0 };
            request.encode(header)
        };
        let response = self.call(wire, tid, Command::READ_ANDX, encode).await?;
        match response.status() {
            NtStatus::SUCCESS | NtStatus::BUFFER_OVERFLOW => {
                let data = ReadResponse::decode(&response.message)?.data;
                if data.bytes().len() > usize::from(max_count) {
                    return Err(PeerError::TooMuchData.into());
                }
                let goes_on = response.status() == NtStatus::BUFFER_OVERFLOW;
                Ok((data.bytes().to_vec(), goes_on))
            }
            NtStatus::END_OF_FILE => Ok((Vec::new(), false)),
            _ => Err(response.refused()),
        }
    }

    /// How many bytes were written: at most what one request carries.
    pub(super) async fn write(
        &mut self,
        wire: &mut Wire,
        tid: u16,
        fid: u16,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, Error> {
        let data = data.get(..usize::from(Self::MOST)).unwrap_or(data);
        let encode = |header: &Header| {
            let data = Part::new(data);
            WriteRequest { fid, offset, timeout: 0, write_mode: 0, remaining: 0, data }
                .encode(header)
        };
        let message = self.call_successfully(wire, tid, Command::WRITE_ANDX, encode).await?;
        let written = WriteResponse::decode(&message)?;
        match (written.count_high, usize::from(written.count)) {
            (0, count) if count <= data.len() => Ok(count),
            _ => Err(PeerError::TooMuchData.into()),
        }
    }

    /// Writes to a pipe and reads its answer, whole as far as `most` bytes.
    pub(super) async fn transceive(
        &mut self,
        wire: &mut Wire,
        tid: u16,
        fid: u16,
        data: &[u8],
        most: usize,
    ) -> Result<Vec<u8>, Error> {
        let [sub_low, sub_high] = TransactionRequest::TRANSACT_NMPIPE.to_le_bytes();
        let [fid_low, fid_high] = fid.to_le_bytes();
        let setup = [sub_low, sub_high, fid_low, fid_high];
        let name = Utf16String::from(r"\PIPE\").to_le_bytes();
        let encode = |header: &Header| {
            let request = TransactionRequest {
                max_parameter_count: 0,
                max_data_count: Self::MOST,
                max_setup_count: 0,
                flags: 0,
                timeout: 0,
                setup: Part::new(&setup),
                name: Part::new(&name),
                parameters: Part::default(),
                data: Part::new(data),
                unicode: true,
            };
            request.encode(header)
        };
        let response = self.call(wire, tid, Command::TRANSACTION, encode).await?;
        let mut more = match response.status() {
            NtStatus::SUCCESS => false,
            NtStatus::BUFFER_OVERFLOW => true,
            _ => return Err(response.refused()),
        };
        let mut output = TransactionResponse::decode(&response.message)?.data.bytes().to_vec();
        while more {
            let left = u32::try_from(most.saturating_sub(output.len())).unwrap_or(u32::MAX);
            let (rest, goes_on) = self.read_part(wire, tid, fid, 0, left).await?;
            if rest.is_empty() && goes_on {
                return Err(PeerError::TooMuchData.into());
            }
            more = goes_on;
            output.extend_from_slice(&rest);
        }
        if output.len() > most { Err(PeerError::TooMuchData.into()) } else { Ok(output) }
    }
}
