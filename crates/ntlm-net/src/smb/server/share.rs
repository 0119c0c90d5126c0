//! IPC$ and one flat share in memory: just enough to log on to, read and write (MS-SMB2 3.3.5.7 to
//! 3.3.5.21). Oplocks are granted as asked and never broken; nobody locks, lists or watches.

mod smb1;

use ntlm::FileTime;
use ntlm::text::Utf16String;
use ntlm_smb::file::{
    AccessMask, CreateAction, CreateDisposition, CreateOptions, FileAttributes,
    NetworkOpenInformation, ShareAccess,
};
use ntlm_smb::server::Request;
use ntlm_smb::smb2::{
    BareMessage, CloseRequest, CloseResponse, Command, CreateRequest, CreateResponse, FileId,
    FileInfoClass, Header, HeaderId, InfoType, OplockLevel, QueryInfoRequest, QueryInfoResponse,
    ReadRequest, ReadResponse, SetInfoRequest, SetInfoResponse, TreeConnectRequest,
    TreeConnectResponse, WriteRequest, WriteResponse,
};
use ntlm_smb::{DecodeError, Identity, NtStatus, Part, TooLong};
use std::collections::BTreeMap;

/// How much the share holds.
#[derive(Clone, Copy, Debug)]
pub struct ShareLimits {
    /// All files together, in bytes.
    pub bytes: usize,
    /// How many files.
    pub files: usize,
    /// How many files a session may have open, at most 60000.
    pub opens: u16,
    /// How many shares a session may be connected to.
    pub trees: usize,
}

impl Default for ShareLimits {
    fn default() -> Self {
        Self { bytes: 64 << 20, files: 1000, opens: 256, trees: 16 }
    }
}

/// The files, and who has what open.
#[derive(Debug)]
pub(super) struct Share {
    /// Its name, in upper case.
    name: Utf16String,
    limits: ShareLimits,
    max_io_size: u32,
    /// By name in upper case.
    files: BTreeMap<Vec<u16>, Content>,
    /// By SessionId.
    sessions: BTreeMap<u64, Opened>,
}

#[derive(Debug)]
struct Content {
    data: Vec<u8>,
    created: FileTime,
    written: FileTime,
    attributes: FileAttributes,
    /// By session and file id: what it is open for, and what others may do meanwhile.
    opens: BTreeMap<(u64, u64), (AccessMask, ShareAccess)>,
    delete_pending: bool,
}

/// What a session has.
#[derive(Debug, Default)]
struct Opened {
    trees: BTreeMap<u32, Tree>,
    opens: BTreeMap<u64, Open>,
    last_tree_id: u32,
    last_file_id: u16,
}

impl Opened {
    /// One that is free, of 16 bits, as SMB1 needs it. There are fewer opens than numbers.
    fn new_file_id(&mut self) -> u64 {
        loop {
            self.last_file_id = self.last_file_id.wrapping_add(1);
            let id = u64::from(self.last_file_id);
            if id != 0 && id != 0xffff && !self.opens.contains_key(&id) {
                return id;
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tree {
    Ipc,
    Disk,
}

#[derive(Clone, Debug)]
struct Open {
    tree_id: u32,
    /// `None`: the root.
    name: Option<Vec<u16>>,
    access: AccessMask,
    position: u64,
    delete_on_close: bool,
}

/// The file of the request before, in a compound.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Related(Option<FileId>);

/// Why there is no answer but a status, or none at all.
enum Refused {
    Status(NtStatus),
    TooLong(TooLong),
}

impl From<NtStatus> for Refused {
    fn from(status: NtStatus) -> Self {
        Self::Status(status)
    }
}

impl From<DecodeError> for Refused {
    fn from(_: DecodeError) -> Self {
        Self::Status(NtStatus::INVALID_PARAMETER)
    }
}

impl From<TooLong> for Refused {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}

impl Share {
    /// Fewer than there are file ids.
    const MOST_OPENS: u16 = 60_000;

    pub(super) fn new(name: &str, limits: ShareLimits, max_io_size: u32) -> Self {
        Self {
            name: Utf16String::from(name).to_uppercase(),
            limits,
            max_io_size,
            files: BTreeMap::new(),
            sessions: BTreeMap::new(),
        }
    }

    /// A session ended: what it had open is closed.
    pub(super) fn end(&mut self, session_id: u64) {
        let Some(opened) = self.sessions.remove(&session_id) else { return };
        opened.opens.into_iter().for_each(|(id, open)| self.let_go(session_id, id, open));
    }

    /// Carries a request out. `None`: there is no answer until the client cancels it.
    pub(super) fn carry_out(
        &mut self,
        request: &Request,
        message: &[u8],
        related: &mut Related,
        now: FileTime,
    ) -> Result<Option<Vec<u8>>, TooLong> {
        if !request.is_related {
            *related = Related(None);
        }
        match self.answer(request, message, related, now) {
            Ok(answer) => Ok(Some(answer)),
            Err(Refused::Status(NtStatus::PENDING)) => Ok(None),
            Err(Refused::Status(status)) => request.refuse(status).map(Some),
            Err(Refused::TooLong(error)) => Err(error),
        }
    }

    fn answer(
        &mut self,
        request: &Request,
        message: &[u8],
        related: &mut Related,
        now: FileTime,
    ) -> Result<Vec<u8>, Refused> {
        let header = &request.header;
        if header.command == Command::TREE_CONNECT {
            return self.tree_connect(request, message);
        }
        let HeaderId::Sync { tree_id, .. } = header.id else {
            return Err(NtStatus::INVALID_PARAMETER.into());
        };
        let opened = self.sessions.entry(header.session_id).or_default();
        if !opened.trees.contains_key(&tree_id) {
            return Err(NtStatus::NETWORK_NAME_DELETED.into());
        }
        let response = &request.response;
        match header.command {
            Command::TREE_DISCONNECT => {
                BareMessage::decode(message)?;
                self.tree_disconnect(header.session_id, tree_id);
                Ok(BareMessage.encode(response).to_vec())
            }
            Command::CREATE => {
                let create = CreateRequest::decode(message)?;
                let (created, file_id) = self.create(header.session_id, tree_id, &create, now)?;
                related.0 = Some(file_id);
                Ok(created.encode(response)?)
            }
            Command::CLOSE => {
                let close = CloseRequest::decode(message)?;
                let id = self.open_id(header.session_id, close.file_id, *related)?;
                let opened = self.sessions.entry(header.session_id).or_default();
                let open = opened.opens.remove(&id).ok_or(NtStatus::FILE_CLOSED)?;
                let wanted = close.flags & CloseRequest::POSTQUERY_ATTRIB;
                let information = if wanted == 0 {
                    NetworkOpenInformation::default()
                } else {
                    self.information(&open)
                };
                self.let_go(header.session_id, id, open);
                Ok(CloseResponse { flags: wanted, information }.encode(response))
            }
            Command::READ => {
                let read = ReadRequest::decode(message)?;
                let data = self.read(header.session_id, &read, *related)?;
                Ok(ReadResponse { data_remaining: 0, data: Part::new(data) }.encode(response)?)
            }
            Command::WRITE => {
                let write = WriteRequest::decode(message)?;
                let count = self.write(header.session_id, &write, *related, now)?;
                Ok(WriteResponse { count }.encode(response))
            }
            Command::QUERY_INFO => {
                let query = QueryInfoRequest::decode(message)?;
                let output = self.query_info(header.session_id, &query, *related)?;
                Ok(QueryInfoResponse { output_buffer: Part::new(&output) }.encode(response)?)
            }
            Command::SET_INFO => {
                let set = SetInfoRequest::decode(message)?;
                self.set_info(header.session_id, &set, *related)?;
                Ok(SetInfoResponse.encode(response))
            }
            // Nothing is ever told of, so it lasts until it is cancelled.
            Command::CHANGE_NOTIFY => Err(NtStatus::PENDING.into()),
            _ => Err(NtStatus::NOT_SUPPORTED.into()),
        }
    }

    fn tree_connect(&mut self, request: &Request, message: &[u8]) -> Result<Vec<u8>, Refused> {
        let connect = TreeConnectRequest::decode(message)?;
        let path = Utf16String::from_le_bytes(connect.path.bytes());
        let path = path.map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let (tree, tree_id) = self.connect(request.header.session_id, request.identity, &path)?;
        let (share_type, maximal_access) = match tree {
            Tree::Ipc => (2, 0x001f_00a9),
            Tree::Disk => (1, 0x001f_01ff),
        };
        let response =
            TreeConnectResponse { share_type, share_flags: 0, capabilities: 0, maximal_access };
        let id = HeaderId::Sync { reserved: 0, tree_id };
        Ok(response.encode(&Header { id, ..request.response }))
    }

    /// Connects a session to the share of a path.
    fn connect(
        &mut self,
        session_id: u64,
        identity: Identity,
        path: &Utf16String,
    ) -> Result<(Tree, u32), Refused> {
        let path = path.to_uppercase();
        let mut parts = path.as_units().rsplit(|unit| *unit == u16::from(b'\\'));
        let name = parts.next().unwrap_or_default();
        let tree = if name == Utf16String::from("IPC$").as_units() {
            Tree::Ipc
        } else if name == self.name.as_units() {
            Tree::Disk
        } else {
            return Err(NtStatus::BAD_NETWORK_NAME.into());
        };
        // Nobody gets no further than IPC$, as with Windows.
        if tree == Tree::Disk && identity == Identity::Anonymous {
            return Err(NtStatus::ACCESS_DENIED.into());
        }
        let opened = self.sessions.entry(session_id).or_default();
        if opened.trees.len() >= self.limits.trees {
            return Err(NtStatus::INSUFFICIENT_RESOURCES.into());
        }
        let tree_id = opened.last_tree_id.checked_add(1);
        let tree_id = tree_id.ok_or(NtStatus::INSUFFICIENT_RESOURCES)?;
        opened.last_tree_id = tree_id;
        opened.trees.insert(tree_id, tree);
        Ok((tree, tree_id))
    }

    fn tree_disconnect(&mut self, session_id: u64, tree_id: u32) {
        let opened = self.sessions.entry(session_id).or_default();
        opened.trees.remove(&tree_id);
        let of_tree: Vec<(u64, Open)> =
            opened.opens.extract_if(.., |_, open| open.tree_id == tree_id).collect();
        of_tree.into_iter().for_each(|(id, open)| self.let_go(session_id, id, open));
    }

    /// Whether there was something to be closed.
    fn close(&mut self, session_id: u64, id: u64) -> bool {
        let opened = self.sessions.entry(session_id).or_default();
        let open = opened.opens.remove(&id);
        open.map(|open| self.let_go(session_id, id, open)).is_some()
    }

    fn create(
        &mut self,
        session_id: u64,
        tree_id: u32,
        create: &CreateRequest<'_>,
        now: FileTime,
    ) -> Result<(CreateResponse<'static>, FileId), Refused> {
        let name = Utf16String::from_le_bytes(create.name.bytes());
        let name = name.map_err(|_| NtStatus::OBJECT_NAME_INVALID)?.to_uppercase();
        let separators = [u16::from(b'\\'), u16::from(b'/'), 0];
        if name.as_units().len() > 255
            || name.as_units().iter().any(|unit| separators.contains(unit))
        {
            return Err(NtStatus::OBJECT_NAME_INVALID.into());
        }
        let opened = self.sessions.entry(session_id).or_default();
        if opened.trees.get(&tree_id) != Some(&Tree::Disk) {
            return Err(NtStatus::OBJECT_NAME_NOT_FOUND.into());
        }
        if opened.opens.len() >= usize::from(self.limits.opens.min(Self::MOST_OPENS)) {
            return Err(NtStatus::TOO_MANY_OPENED_FILES.into());
        }
        let id = opened.new_file_id();
        let is_root = name.is_empty();
        let wants_directory = create.create_options.contains(CreateOptions::DIRECTORY_FILE);
        let (action, name) = if is_root {
            if create.create_options.contains(CreateOptions::NON_DIRECTORY_FILE) {
                return Err(NtStatus::FILE_IS_A_DIRECTORY.into());
            }
            (CreateAction::OPENED, None)
        } else {
            if wants_directory {
                return Err(NtStatus::NOT_SUPPORTED.into());
            }
            let name = name.as_units().to_vec();
            (self.open_or_make(&name, create, (session_id, id), now)?, Some(name))
        };
        let open = Open {
            tree_id,
            name,
            access: create.desired_access,
            position: 0,
            delete_on_close: create.create_options.contains(CreateOptions::DELETE_ON_CLOSE)
                && !is_root,
        };
        let information = self.information(&open);
        self.sessions.entry(session_id).or_default().opens.insert(id, open);
        let file_id = FileId { persistent: id, volatile: id };
        let asked = create.requested_oplock_level;
        let oplock_level =
            if asked == OplockLevel::LEASE || is_root { OplockLevel::NONE } else { asked };
        let response = CreateResponse {
            oplock_level,
            flags: 0,
            create_action: action,
            information,
            file_id,
            create_contexts: Part::default(),
        };
        Ok((response, file_id))
    }

    /// CreateDisposition (MS-SMB2 2.2.13). The file then has one more that has it open.
    fn open_or_make(
        &mut self,
        name: &[u16],
        create: &CreateRequest<'_>,
        id: (u64, u64),
        now: FileTime,
    ) -> Result<CreateAction, Refused> {
        let disposition = create.create_disposition;
        let ours = (create.desired_access, create.share_access);
        if disposition.0 > CreateDisposition::OVERWRITE_IF.0 {
            return Err(NtStatus::INVALID_PARAMETER.into());
        }
        let Some(content) = self.files.get_mut(name) else {
            if matches!(disposition, CreateDisposition::OPEN | CreateDisposition::OVERWRITE) {
                return Err(NtStatus::OBJECT_NAME_NOT_FOUND.into());
            }
            if self.files.len() >= self.limits.files {
                return Err(NtStatus::DISK_FULL.into());
            }
            let content = Content {
                data: Vec::new(),
                created: now,
                written: now,
                attributes: FileAttributes::ARCHIVE,
                opens: BTreeMap::from([(id, ours)]),
                delete_pending: false,
            };
            self.files.insert(name.to_vec(), content);
            return Ok(CreateAction::CREATED);
        };
        if content.delete_pending {
            return Err(NtStatus::DELETE_PENDING.into());
        }
        if content.opens.values().any(|other| !are_compatible(ours, *other)) {
            return Err(NtStatus::SHARING_VIOLATION.into());
        }
        let action = match disposition {
            CreateDisposition::CREATE => return Err(NtStatus::OBJECT_NAME_COLLISION.into()),
            CreateDisposition::OPEN | CreateDisposition::OPEN_IF => CreateAction::OPENED,
            CreateDisposition::SUPERSEDE => CreateAction::SUPERSEDED,
            _ => CreateAction::OVERWRITTEN,
        };
        if action != CreateAction::OPENED {
            content.data = Vec::new();
            content.written = now;
        }
        content.opens.insert(id, ours);
        Ok(action)
    }

    /// Closes what was opened, and deletes the file if that was wished.
    fn let_go(&mut self, session_id: u64, id: u64, open: Open) {
        let Some(name) = open.name else { return };
        let Some(content) = self.files.get_mut(&name) else { return };
        content.delete_pending |= open.delete_on_close;
        content.opens.remove(&(session_id, id));
        if content.delete_pending && content.opens.is_empty() {
            self.files.remove(&name);
        }
    }

    fn information(&self, open: &Open) -> NetworkOpenInformation {
        let content = open.name.as_ref().and_then(|name| self.files.get(name));
        let Some(content) = content else {
            let file_attributes = FileAttributes::DIRECTORY;
            return NetworkOpenInformation { file_attributes, ..NetworkOpenInformation::default() };
        };
        let length = u64::try_from(content.data.len()).unwrap_or(u64::MAX);
        NetworkOpenInformation {
            creation_time: content.created,
            last_access_time: content.written,
            last_write_time: content.written,
            change_time: content.written,
            allocation_size: length.next_multiple_of(4096),
            end_of_file: length,
            file_attributes: content.attributes,
        }
    }

    /// The open that a request means: its own, or that of the request before.
    fn open_id(&self, session_id: u64, file_id: FileId, related: Related) -> Result<u64, Refused> {
        let file_id = if file_id == FileId::NONE { related.0.unwrap_or(file_id) } else { file_id };
        let opened = self.sessions.get(&session_id);
        let is_open = opened.is_some_and(|opened| opened.opens.contains_key(&file_id.volatile));
        if is_open && file_id.persistent == file_id.volatile {
            Ok(file_id.volatile)
        } else {
            Err(NtStatus::FILE_CLOSED.into())
        }
    }

    fn open(&self, session_id: u64, file_id: FileId, related: Related) -> Result<&Open, Refused> {
        let id = self.open_id(session_id, file_id, related)?;
        let open = self.sessions.get(&session_id).and_then(|opened| opened.opens.get(&id));
        Ok(open.ok_or(NtStatus::FILE_CLOSED)?)
    }

    fn read(
        &self,
        session_id: u64,
        read: &ReadRequest,
        related: Related,
    ) -> Result<&[u8], Refused> {
        let open = self.open(session_id, read.file_id, related)?;
        let allowed = AccessMask::READ_DATA
            | AccessMask::EXECUTE
            | AccessMask::GENERIC_READ
            | AccessMask::GENERIC_EXECUTE
            | AccessMask::GENERIC_ALL
            | AccessMask::MAXIMUM_ALLOWED;
        if !open.access.intersects(allowed) {
            return Err(NtStatus::ACCESS_DENIED.into());
        }
        if read.length > self.max_io_size {
            return Err(NtStatus::INVALID_PARAMETER.into());
        }
        let name = open.name.as_ref().ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
        let content = self.files.get(name).ok_or(NtStatus::FILE_CLOSED)?;
        let start = usize::try_from(read.offset).unwrap_or(usize::MAX);
        let rest = content.data.get(start..).unwrap_or_default();
        let length = usize::try_from(read.length).unwrap_or(usize::MAX).min(rest.len());
        let least = usize::try_from(read.minimum_count).unwrap_or(usize::MAX);
        if (length == 0 && read.length > 0) || length < least {
            return Err(NtStatus::END_OF_FILE.into());
        }
        Ok(rest.get(..length).unwrap_or_default())
    }

    fn write(
        &mut self,
        session_id: u64,
        write: &WriteRequest<'_>,
        related: Related,
        now: FileTime,
    ) -> Result<u32, Refused> {
        let open = self.open(session_id, write.file_id, related)?.clone();
        let allowed = AccessMask::WRITE_DATA
            | AccessMask::APPEND_DATA
            | AccessMask::GENERIC_WRITE
            | AccessMask::GENERIC_ALL
            | AccessMask::MAXIMUM_ALLOWED;
        if !open.access.intersects(allowed) {
            return Err(NtStatus::ACCESS_DENIED.into());
        }
        let data = write.data.bytes();
        let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
        if count > self.max_io_size {
            return Err(NtStatus::INVALID_PARAMETER.into());
        }
        let used: usize = self.files.values().map(|content| content.data.len()).sum();
        let name = open.name.as_ref().ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
        let content = self.files.get_mut(name).ok_or(NtStatus::FILE_CLOSED)?;
        let start = usize::try_from(write.offset).map_err(|_| NtStatus::DISK_FULL)?;
        let end = start.checked_add(data.len()).ok_or(NtStatus::DISK_FULL)?;
        let more = end.saturating_sub(content.data.len());
        if used.saturating_add(more) > self.limits.bytes {
            return Err(NtStatus::DISK_FULL.into());
        }
        if more > 0 {
            content.data.resize(end, 0);
        }
        let place = content.data.get_mut(start..end).ok_or(NtStatus::DISK_FULL)?;
        place.copy_from_slice(data);
        content.written = now;
        Ok(count)
    }

    fn query_info(
        &self,
        session_id: u64,
        query: &QueryInfoRequest<'_>,
        related: Related,
    ) -> Result<Vec<u8>, Refused> {
        let open = self.open(session_id, query.file_id, related)?;
        if query.info_type != InfoType::FILE {
            return Err(NtStatus::NOT_SUPPORTED.into());
        }
        let output = match query.file_info_class {
            FileInfoClass::BASIC => self.basic(open),
            FileInfoClass::STANDARD => self.standard(open),
            FileInfoClass::POSITION => open.position.to_le_bytes().to_vec(),
            FileInfoClass::ALL => self.all(open),
            _ => return Err(NtStatus::INVALID_INFO_CLASS.into()),
        };
        if u32::try_from(output.len()).map_or(true, |length| length > query.output_buffer_length) {
            return Err(NtStatus::INFO_LENGTH_MISMATCH.into());
        }
        Ok(output)
    }

    /// FileBasicInformation (MS-FSCC 2.4.7).
    fn basic(&self, open: &Open) -> Vec<u8> {
        let information = self.information(open);
        let times = [
            information.creation_time,
            information.last_access_time,
            information.last_write_time,
            information.change_time,
        ];
        let mut output = times.map(|time| time.to_le_bytes()).concat();
        output.extend_from_slice(&information.file_attributes.bits().to_le_bytes());
        output.extend_from_slice(&[0; 4]); // Reserved
        output
    }

    /// FileStandardInformation (MS-FSCC 2.4.41).
    fn standard(&self, open: &Open) -> Vec<u8> {
        let information = self.information(open);
        let content = open.name.as_ref().and_then(|name| self.files.get(name));
        let delete_pending =
            open.delete_on_close || content.is_some_and(|content| content.delete_pending);
        let mut output = information.allocation_size.to_le_bytes().to_vec();
        output.extend_from_slice(&information.end_of_file.to_le_bytes());
        output.extend_from_slice(&1_u32.to_le_bytes()); // NumberOfLinks
        output.push(u8::from(delete_pending));
        output.push(u8::from(open.name.is_none())); // Directory
        output.extend_from_slice(&[0; 2]); // Reserved
        output
    }

    /// FileAllInformation (MS-FSCC 2.4.2).
    fn all(&self, open: &Open) -> Vec<u8> {
        let mut output = self.basic(open);
        output.extend_from_slice(&self.standard(open));
        output.extend_from_slice(&[0; 8]); // FileInternalInformation
        output.extend_from_slice(&[0; 4]); // FileEaInformation
        output.extend_from_slice(&open.access.bits().to_le_bytes());
        output.extend_from_slice(&open.position.to_le_bytes());
        output.extend_from_slice(&[0; 4]); // FileModeInformation
        output.extend_from_slice(&[0; 4]); // FileAlignmentInformation
        let name = open.name.as_deref().unwrap_or_default();
        let name = Utf16String::from_units([&[u16::from(b'\\')], name].concat()).to_le_bytes();
        let length = u32::try_from(name.len()).unwrap_or_default();
        output.extend_from_slice(&length.to_le_bytes());
        output.extend_from_slice(&name);
        output
    }

    fn set_info(
        &mut self,
        session_id: u64,
        set: &SetInfoRequest<'_>,
        related: Related,
    ) -> Result<(), Refused> {
        let id = self.open_id(session_id, set.file_id, related)?;
        let opened = self.sessions.entry(session_id).or_default();
        let open = opened.opens.get_mut(&id).ok_or(NtStatus::FILE_CLOSED)?;
        if set.info_type != InfoType::FILE {
            return Err(NtStatus::NOT_SUPPORTED.into());
        }
        match (set.file_info_class, set.buffer.bytes()) {
            (FileInfoClass::DISPOSITION, [delete, ..]) => {
                let allowed =
                    AccessMask::DELETE | AccessMask::GENERIC_ALL | AccessMask::MAXIMUM_ALLOWED;
                if !open.access.intersects(allowed) {
                    return Err(NtStatus::ACCESS_DENIED.into());
                }
                open.delete_on_close = *delete != 0 && open.name.is_some();
            }
            (FileInfoClass::POSITION, buffer) => {
                let position = buffer.first_chunk().ok_or(NtStatus::INFO_LENGTH_MISMATCH)?;
                open.position = u64::from_le_bytes(*position);
            }
            // Times and attributes are taken note of by nobody.
            (FileInfoClass::BASIC, _) => {}
            _ => return Err(NtStatus::INVALID_INFO_CLASS.into()),
        }
        Ok(())
    }
}

/// Whether two may have a file open, each with an access and what it lets others do (MS-FSA
/// 2.1.5.1.2).
fn are_compatible(one: (AccessMask, ShareAccess), other: (AccessMask, ShareAccess)) -> bool {
    let needs = |access: AccessMask| {
        let all = AccessMask::GENERIC_ALL | AccessMask::MAXIMUM_ALLOWED;
        let reads = AccessMask::READ_DATA | AccessMask::EXECUTE | AccessMask::GENERIC_READ;
        let writes = AccessMask::WRITE_DATA | AccessMask::APPEND_DATA | AccessMask::GENERIC_WRITE;
        let mut needs = ShareAccess::empty();
        needs.set(ShareAccess::READ, access.intersects(all | reads));
        needs.set(ShareAccess::WRITE, access.intersects(all | writes));
        needs.set(ShareAccess::DELETE, access.intersects(all | AccessMask::DELETE));
        needs
    };
    let (ours, theirs) = (needs(one.0), needs(other.0));
    // Who touches nothing but attributes is in nobody's way.
    ours.is_empty() || theirs.is_empty() || other.1.contains(ours) && one.1.contains(theirs)
}
