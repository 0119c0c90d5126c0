//! What is open: shares, files and pipes of either generation.

use ntlm_smb::client;
use ntlm_smb::smb2::FileId;

/// A share that is in use.
#[derive(Clone, Copy, Debug)]
pub struct Tree(pub(super) TreeForm);

#[derive(Clone, Copy, Debug)]
pub(super) enum TreeForm {
    /// TID.
    Smb1(u16),
    Smb2(client::Tree),
}

impl Tree {
    /// Whether everything on it is encrypted because the share demands it.
    #[must_use]
    pub const fn encrypts(&self) -> bool {
        match &self.0 {
            TreeForm::Smb1(_) => false,
            TreeForm::Smb2(tree) => tree.encrypts,
        }
    }
}

/// A file or pipe that is open.
#[derive(Clone, Copy, Debug)]
pub struct File(pub(super) FileForm);

#[derive(Clone, Copy, Debug)]
pub(super) enum FileForm {
    Smb1 { tid: u16, fid: u16 },
    Smb2 { tree: client::Tree, file_id: FileId },
}
