//! SMB_COM_SESSION_SETUP_ANDX in all its forms (MS-CIFS 2.2.4.53, MS-SMB 2.2.4.6).

use super::block::{Block, BytesWriter, Texts, encode, without_andx};
use super::header::{Command, Header};
use super::negotiate::Capabilities;
use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, length};
use alloc::vec::Vec;
use bitflags::bitflags;

bitflags! {
    /// Action of the response. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Action: u16 {
        /// SMB_SETUP_GUEST.
        const GUEST = 0x0001;
        /// SMB_SETUP_USE_LANMAN_KEY: the LM session key is in use.
        const USE_LANMAN_KEY = 0x0002;

        const _ = !0;
    }
}

/// SMB_COM_SESSION_SETUP_ANDX Request. WordCount tells which form it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSetupRequest<'a> {
    /// MaxBufferSize.
    pub max_buffer_size: u16,
    /// MaxMpxCount.
    pub max_mpx_count: u16,
    /// VcNumber.
    pub vc_number: u16,
    /// SessionKey: the opaque number of the negotiate response; no key.
    pub session_key: u32,
    /// Capabilities; none in the LANMAN form.
    pub capabilities: Capabilities,
    /// What proves who it is.
    pub credentials: Credentials<'a>,
    /// NativeOS.
    pub native_os: Part<'a>,
    /// NativeLanMan.
    pub native_lan_man: Part<'a>,
    /// Whether the texts are UTF-16LE; else they are OEM.
    pub unicode: bool,
}

/// The three forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// 10 words: LANMAN 1.0 to 2.1.
    LanMan {
        /// Password: the LM response, 24 bytes, or a password in the clear.
        password: Part<'a>,
        /// AccountName.
        account_name: Part<'a>,
        /// PrimaryDomain.
        primary_domain: Part<'a>,
    },
    /// 13 words: NT LM 0.12 without extended security (MS-CIFS 2.2.4.53.1).
    Responses {
        /// OEMPassword: LM or LMv2 response, 24 bytes.
        oem_password: Part<'a>,
        /// UnicodePassword: NTLM response, 24 bytes, or NTLMv2 response.
        unicode_password: Part<'a>,
        /// AccountName.
        account_name: Part<'a>,
        /// PrimaryDomain.
        primary_domain: Part<'a>,
    },
    /// 12 words: NT LM 0.12 with extended security (MS-SMB 2.2.4.6.1).
    ExtendedSecurity {
        /// SecurityBlob: a token of SPNEGO or of NTLM itself.
        security_blob: Part<'a>,
    },
}

impl<'a> SessionSetupRequest<'a> {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::SESSION_SETUP_ANDX)?;
        let unicode = Header::decode(message)?.is_unicode();
        let word_count = block.word_count();
        let mut r = block.reader(word_count)?;
        r.u32("AndX")?;
        let max_buffer_size = r.u16("MaxBufferSize")?;
        let max_mpx_count = r.u16("MaxMpxCount")?;
        let vc_number = r.u16("VcNumber")?;
        let session_key = r.u32("SessionKey")?;
        let bytes = block.bytes;
        let (credentials, capabilities, mut texts, unicode) = match word_count {
            10 => {
                let length = usize::from(r.u16("PasswordLength")?);
                let password = bytes.slice(0, length, "Password")?;
                let mut texts = Texts::new(bytes, length, false);
                let (account_name, primary_domain) = (texts.next(), texts.next());
                let credentials = Credentials::LanMan { password, account_name, primary_domain };
                (credentials, Capabilities::empty(), texts, false)
            }
            12 => {
                let length = usize::from(r.u16("SecurityBlobLength")?);
                r.u32("Reserved")?;
                let capabilities = Capabilities::from_bits_retain(r.u32("Capabilities")?);
                let security_blob = bytes.slice(0, length, "SecurityBlob")?;
                let credentials = Credentials::ExtendedSecurity { security_blob };
                (credentials, capabilities, Texts::new(bytes, length, unicode), unicode)
            }
            13 => {
                let oem = usize::from(r.u16("OEMPasswordLen")?);
                let nt = usize::from(r.u16("UnicodePasswordLen")?);
                r.u32("Reserved")?;
                let capabilities = Capabilities::from_bits_retain(r.u32("Capabilities")?);
                let oem_password = bytes.slice(0, oem, "OEMPassword")?;
                let unicode_password = bytes.slice(oem, nt, "UnicodePassword")?;
                let mut texts = Texts::new(bytes, oem + nt, unicode);
                let (account_name, primary_domain) = (texts.next(), texts.next());
                let credentials = Credentials::Responses {
                    oem_password,
                    unicode_password,
                    account_name,
                    primary_domain,
                };
                (credentials, capabilities, texts, unicode)
            }
            _ => return Err(block.wrong_word_count()),
        };
        Ok(Self {
            max_buffer_size,
            max_mpx_count,
            vc_number,
            session_key,
            capabilities,
            credentials,
            native_os: texts.next(),
            native_lan_man: texts.next(),
            unicode,
        })
    }

    /// Header and body, in the form of the credentials.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let mut words = without_andx();
        words.u16(self.max_buffer_size);
        words.u16(self.max_mpx_count);
        words.u16(self.vc_number);
        words.u32(self.session_key);
        match self.credentials {
            Credentials::LanMan { password, .. } => {
                words.u16(length(password.bytes().len(), "PasswordLength")?);
                words.zeros(4); // Reserved
            }
            Credentials::Responses { oem_password, unicode_password, .. } => {
                words.u16(length(oem_password.bytes().len(), "OEMPasswordLen")?);
                words.u16(length(unicode_password.bytes().len(), "UnicodePasswordLen")?);
                words.zeros(4); // Reserved
                words.u32(self.capabilities.bits());
            }
            Credentials::ExtendedSecurity { security_blob } => {
                words.u16(length(security_blob.bytes().len(), "SecurityBlobLength")?);
                words.zeros(4); // Reserved
                words.u32(self.capabilities.bits());
            }
        }
        let words = words.finish();
        let mut bytes = BytesWriter::new(&words, self.unicode);
        match self.credentials {
            Credentials::LanMan { password, account_name, primary_domain } => {
                bytes.bytes(password.bytes());
                bytes.oem(account_name);
                bytes.oem(primary_domain);
            }
            Credentials::Responses {
                oem_password,
                unicode_password,
                account_name,
                primary_domain,
            } => {
                bytes.bytes(oem_password.bytes());
                bytes.bytes(unicode_password.bytes());
                bytes.text(account_name);
                bytes.text(primary_domain);
            }
            Credentials::ExtendedSecurity { security_blob } => bytes.bytes(security_blob.bytes()),
        }
        bytes.text(self.native_os);
        bytes.text(self.native_lan_man);
        encode(header, &words, bytes.finish())
    }
}

/// SMB_COM_SESSION_SETUP_ANDX Response (MS-CIFS 2.2.4.53.2, MS-SMB 2.2.4.6.2). A refusal has no
/// words and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSetupResponse<'a> {
    /// Action.
    pub action: Action,
    /// SecurityBlob, of the form with 4 words; `None` in that with 3.
    pub security_blob: Option<Part<'a>>,
    /// NativeOS.
    pub native_os: Part<'a>,
    /// NativeLanMan.
    pub native_lan_man: Part<'a>,
    /// PrimaryDomain, of the form with 3 words. Samba sends it in the other too.
    pub primary_domain: Part<'a>,
    /// Whether the texts are UTF-16LE; else they are OEM.
    pub unicode: bool,
}

impl<'a> SessionSetupResponse<'a> {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::SESSION_SETUP_ANDX)?;
        let unicode = Header::decode(message)?.is_unicode();
        let word_count = block.word_count();
        let mut r = block.reader(word_count)?;
        let has_blob = match word_count {
            3 => false,
            4 => true,
            _ => return Err(block.wrong_word_count()),
        };
        r.u32("AndX")?;
        let action = Action::from_bits_retain(r.u16("Action")?);
        let length = if has_blob { usize::from(r.u16("SecurityBlobLength")?) } else { 0 };
        let security_blob =
            has_blob.then(|| block.bytes.slice(0, length, "SecurityBlob")).transpose()?;
        let mut texts = Texts::new(block.bytes, length, unicode);
        Ok(Self {
            action,
            security_blob,
            native_os: texts.next(),
            native_lan_man: texts.next(),
            primary_domain: texts.next(),
            unicode,
        })
    }

    /// Header and body, in the form that has the blob or does not.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let blob = self.security_blob.unwrap_or_default();
        let mut words = without_andx();
        words.u16(self.action.bits());
        if self.security_blob.is_some() {
            words.u16(length(blob.bytes().len(), "SecurityBlobLength")?);
        }
        let words = words.finish();
        let mut bytes = BytesWriter::new(&words, self.unicode);
        bytes.bytes(blob.bytes());
        bytes.text(self.native_os);
        bytes.text(self.native_lan_man);
        bytes.text(self.primary_domain);
        encode(header, &words, bytes.finish())
    }
}
