//! The same share for SMB1 (MS-CIFS 3.3.5).

use super::{Refused, Related, Share};
use ntlm::FileTime;
use ntlm::text::Utf16String;
use ntlm_smb::server::Smb1Request;
use ntlm_smb::smb1::Header;
use ntlm_smb::smb1::{
    BareMessage, CloseRequest, Command, NtCreateRequest, NtCreateResponse, OptionalSupport,
    ReadRequest, ReadResponse, TreeConnectRequest, TreeConnectResponse, WriteRequest,
    WriteResponse,
};
use ntlm_smb::{NtStatus, Part, TooLong, smb2};

impl Share {
    /// Carries a request of SMB1 out.
    pub(in crate::smb::server) fn carry_out_smb1(
        &mut self,
        request: &Smb1Request,
        now: FileTime,
    ) -> Result<Vec<u8>, TooLong> {
        match self.answer_smb1(request, now) {
            Ok(answer) => Ok(answer),
            Err(Refused::Status(status)) => request.refuse(status),
            Err(Refused::TooLong(error)) => Err(error),
        }
    }

    fn answer_smb1(&mut self, request: &Smb1Request, now: FileTime) -> Result<Vec<u8>, Refused> {
        let (header, message) = (&request.header, request.message.as_slice());
        let response = request.response(NtStatus::SUCCESS);
        let session_id = request.session_id;
        if header.command == Command::TREE_CONNECT_ANDX {
            return self.tree_connect_smb1(request);
        }
        let tree_id = u32::from(header.tid);
        if !self.sessions.get(&session_id).is_some_and(|opened| opened.trees.contains_key(&tree_id))
        {
            return Err(NtStatus::SMB_BAD_TID.into());
        }
        match header.command {
            Command::TREE_DISCONNECT => {
                BareMessage::decode(message)?;
                self.tree_disconnect(session_id, tree_id);
                Ok(BareMessage.encode(&response)?)
            }
            Command::NT_CREATE_ANDX => {
                let create = NtCreateRequest::decode(message)?;
                if !create.unicode {
                    return Err(NtStatus::NOT_SUPPORTED.into());
                }
                // A leading backslash is SMB1's.
                let name = create.file_name.bytes();
                let name = name.strip_prefix(b"\\\0").unwrap_or(name);
                let create = smb2::CreateRequest {
                    requested_oplock_level: smb2::OplockLevel::NONE,
                    impersonation_level: create.impersonation_level,
                    desired_access: create.desired_access,
                    file_attributes: create.ext_file_attributes,
                    share_access: create.share_access,
                    create_disposition: create.create_disposition,
                    create_options: create.create_options,
                    name: Part::new(name),
                    create_contexts: Part::default(),
                };
                let (created, file_id) = self.create(session_id, tree_id, &create, now)?;
                let fid = u16::try_from(file_id.volatile);
                let fid = fid.map_err(|_| NtStatus::TOO_MANY_OPENED_FILES)?;
                let directory = ntlm_smb::file::FileAttributes::DIRECTORY;
                let is_directory = created.information.file_attributes.contains(directory);
                let answer = NtCreateResponse {
                    oplock_level: 0,
                    fid,
                    create_action: created.create_action,
                    information: created.information,
                    resource_type: 0,
                    nm_pipe_status: 0,
                    directory: u8::from(is_directory),
                };
                Ok(answer.encode(&response)?)
            }
            Command::READ_ANDX => {
                let read = ReadRequest::decode(message)?;
                let read = smb2::ReadRequest {
                    padding: 0,
                    flags: 0,
                    length: u32::from(read.max_count),
                    offset: read.offset,
                    file_id: file_id(read.fid),
                    minimum_count: 0,
                    remaining_bytes: 0,
                };
                // The end of a file is no error in SMB1.
                let data = match self.read(session_id, &read, Related::default()) {
                    Err(Refused::Status(NtStatus::END_OF_FILE)) => &[],
                    data => data?,
                };
                let answer = ReadResponse { available: u16::MAX, data: Part::new(data) };
                Ok(answer.encode(&response)?)
            }
            Command::WRITE_ANDX => {
                let write = WriteRequest::decode(message)?;
                let write = smb2::WriteRequest {
                    offset: write.offset,
                    file_id: file_id(write.fid),
                    remaining_bytes: 0,
                    flags: 0,
                    data: write.data,
                };
                let count = self.write(session_id, &write, Related::default(), now)?;
                let [a, b, c, d] = count.to_le_bytes();
                let (count, count_high) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
                Ok(WriteResponse { count, available: u16::MAX, count_high }.encode(&response)?)
            }
            Command::CLOSE => {
                let close = CloseRequest::decode(message)?;
                if !self.close(session_id, u64::from(close.fid)) {
                    return Err(NtStatus::FILE_CLOSED.into());
                }
                Ok(BareMessage.encode(&response)?)
            }
            _ => Err(NtStatus::NOT_SUPPORTED.into()),
        }
    }

    fn tree_connect_smb1(&mut self, request: &Smb1Request) -> Result<Vec<u8>, Refused> {
        let connect = TreeConnectRequest::decode(&request.message)?;
        let path = if connect.unicode {
            Utf16String::from_le_bytes(connect.path.bytes())
        } else {
            Ok(ntlm::text::CodePage::Ascii.decode(connect.path.bytes()))
        };
        let path = path.map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let (tree, tree_id) = self.connect(request.session_id, request.identity, &path)?;
        let tid = u16::try_from(tree_id).map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
        let service: &[u8] = if tree == super::Tree::Ipc { b"IPC" } else { b"A:" };
        let answer = TreeConnectResponse {
            optional_support: OptionalSupport::SEARCH_BITS,
            access_rights: None,
            service: Part::new(service),
            native_file_system: Part::default(),
            unicode: true,
        };
        Ok(answer.encode(&Header { tid, ..request.response(NtStatus::SUCCESS) })?)
    }
}

fn file_id(fid: u16) -> smb2::FileId {
    smb2::FileId { persistent: fid.into(), volatile: fid.into() }
}
