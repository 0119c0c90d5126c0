//! Negotiate contexts of 3.1.1 (MS-SMB2 2.2.3.1, 2.2.4.1).

use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, Reader, U16List, length, pad};
use alloc::vec::Vec;
use core::fmt;

/// What a context is about. Unknown ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContextType(pub u16);

impl ContextType {
    /// SMB2_PREAUTH_INTEGRITY_CAPABILITIES.
    pub const PREAUTH_INTEGRITY: Self = Self(1);
    /// SMB2_ENCRYPTION_CAPABILITIES.
    pub const ENCRYPTION: Self = Self(2);
    /// SMB2_COMPRESSION_CAPABILITIES.
    pub const COMPRESSION: Self = Self(3);
    /// SMB2_NETNAME_NEGOTIATE_CONTEXT_ID.
    pub const NETNAME: Self = Self(5);
    /// SMB2_TRANSPORT_CAPABILITIES.
    pub const TRANSPORT: Self = Self(6);
    /// SMB2_RDMA_TRANSFORM_CAPABILITIES.
    pub const RDMA_TRANSFORM: Self = Self(7);
    /// SMB2_SIGNING_CAPABILITIES.
    pub const SIGNING: Self = Self(8);

    /// Its name.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::PREAUTH_INTEGRITY => Some("SMB2_PREAUTH_INTEGRITY_CAPABILITIES"),
            Self::ENCRYPTION => Some("SMB2_ENCRYPTION_CAPABILITIES"),
            Self::COMPRESSION => Some("SMB2_COMPRESSION_CAPABILITIES"),
            Self::NETNAME => Some("SMB2_NETNAME_NEGOTIATE_CONTEXT_ID"),
            Self::TRANSPORT => Some("SMB2_TRANSPORT_CAPABILITIES"),
            Self::RDMA_TRANSFORM => Some("SMB2_RDMA_TRANSFORM_CAPABILITIES"),
            Self::SIGNING => Some("SMB2_SIGNING_CAPABILITIES"),
            _ => None,
        }
    }
}

impl fmt::Display for ContextType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "context {}", self.0),
        }
    }
}

/// HashAlgorithms: SHA-512, the only one there is.
pub const SHA_512: u16 = 1;

/// The contexts of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NegotiateContexts<'a> {
    /// NegotiateContextCount.
    pub count: u16,
    /// From the first context to the end of the message.
    pub list: Part<'a>,
}

impl<'a> NegotiateContexts<'a> {
    /// The contexts in order, each 8-aligned to the one before; none after an error.
    pub fn iter(&self) -> impl Iterator<Item = Result<NegotiateContext<'a>, DecodeError>> + 'a {
        let (base, mut reader) = (self.list.span().offset, Reader::new(self.list.bytes(), 0));
        let mut left = self.count;
        core::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let context = NegotiateContext::read(&mut reader, base);
            if context.is_err() {
                left = 0;
            }
            Some(context)
        })
    }

    /// The first context of a type; `None` also where the list cannot be read that far.
    #[must_use]
    pub fn find(&self, context_type: ContextType) -> Option<NegotiateContext<'a>> {
        self.iter().map_while(Result::ok).find(|context| context.context_type == context_type)
    }

    /// What a response chose in a context: `None` without the context, or with another count than
    /// one, which no server may send (MS-SMB2 3.2.5.2).
    #[must_use]
    pub fn chosen(&self, context_type: ContextType) -> Option<u16> {
        match self.find(context_type)?.decode().ok()? {
            ContextData::PreauthIntegrity { hash_algorithms: ids, .. }
            | ContextData::Encryption { ciphers: ids }
            | ContextData::Signing { signing_algorithms: ids } => ids.only(),
            _ => None,
        }
    }
}

/// One context: type and data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiateContext<'a> {
    /// ContextType.
    pub context_type: ContextType,
    /// Data.
    pub data: Part<'a>,
}

impl<'a> NegotiateContext<'a> {
    fn read(r: &mut Reader<'a>, base: usize) -> Result<Self, DecodeError> {
        let mut read = || {
            // Between contexts, not after the last.
            let to_boundary = r.position().next_multiple_of(8) - r.position();
            r.take(to_boundary, "Padding")?;
            let context_type = ContextType(r.u16("ContextType")?);
            let length = r.u16("DataLength")?;
            r.u32("Reserved")?;
            let data = r.take(usize::from(length), "Data")?;
            let data = Part::at(data.bytes(), base + data.span().offset);
            Ok(Self { context_type, data })
        };
        read().map_err(|error: DecodeError| error.within(base))
    }

    /// What the data says.
    ///
    /// # Errors
    ///
    /// It is shorter than its counts say.
    pub fn decode(&self) -> Result<ContextData<'a>, DecodeError> {
        let mut r = Reader::new(self.data.bytes(), 0);
        let mut read = || {
            Ok(match self.context_type {
                ContextType::PREAUTH_INTEGRITY => {
                    let count = r.u16("HashAlgorithmCount")?;
                    let salt = r.u16("SaltLength")?;
                    let hash_algorithms = ids(&mut r, count, "HashAlgorithms")?;
                    let salt = r.take(usize::from(salt), "Salt")?.bytes();
                    ContextData::PreauthIntegrity { hash_algorithms, salt }
                }
                ContextType::ENCRYPTION => {
                    let count = r.u16("CipherCount")?;
                    ContextData::Encryption { ciphers: ids(&mut r, count, "Ciphers")? }
                }
                ContextType::COMPRESSION => {
                    let count = r.u16("CompressionAlgorithmCount")?;
                    r.u16("Padding")?;
                    let flags = r.u32("Flags")?;
                    let algorithms = ids(&mut r, count, "CompressionAlgorithms")?;
                    ContextData::Compression { flags, algorithms }
                }
                ContextType::NETNAME => ContextData::NetName { net_name: r.rest().bytes() },
                ContextType::TRANSPORT => ContextData::Transport { flags: r.u32("Flags")? },
                ContextType::RDMA_TRANSFORM => {
                    let count = r.u16("TransformCount")?;
                    r.array::<6>("Reserved")?;
                    ContextData::RdmaTransform { ids: ids(&mut r, count, "RDMATransformIds")? }
                }
                ContextType::SIGNING => {
                    let count = r.u16("SigningAlgorithmCount")?;
                    let signing_algorithms = ids(&mut r, count, "SigningAlgorithms")?;
                    ContextData::Signing { signing_algorithms }
                }
                _ => ContextData::Unknown,
            })
        };
        read().map_err(|error: DecodeError| error.within(self.data.span().offset))
    }
}

fn ids<'a>(
    r: &mut Reader<'a>,
    count: u16,
    field: &'static str,
) -> Result<U16List<'a>, DecodeError> {
    Ok(U16List::new(r.take(usize::from(count) * 2, field)?.bytes()))
}

/// What stands in a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContextData<'a> {
    /// The hash of the messages before authentication.
    PreauthIntegrity {
        /// HashAlgorithms; [`SHA_512`] is the only one.
        hash_algorithms: U16List<'a>,
        /// Salt, so that the hash of equal messages differs.
        salt: &'a [u8],
    },
    /// Ciphers.
    Encryption {
        /// Ids of [`Cipher`](crate::Cipher); in a response one, 0 for none in common.
        ciphers: U16List<'a>,
    },
    /// Compression.
    Compression {
        /// 1: chained.
        flags: u32,
        /// CompressionAlgorithms.
        algorithms: U16List<'a>,
    },
    /// The name by which the client knows the server; in requests only.
    NetName {
        /// UTF-16LE, without a terminator.
        net_name: &'a [u8],
    },
    /// The transport.
    Transport {
        /// 1: the transport's own security will do.
        flags: u32,
    },
    /// RDMA.
    RdmaTransform {
        /// RDMATransformIds.
        ids: U16List<'a>,
    },
    /// How messages are signed.
    Signing {
        /// Ids of [`SigningAlgorithm`](crate::SigningAlgorithm); in a response one.
        signing_algorithms: U16List<'a>,
    },
    /// A type that is not known, which receivers ignore.
    Unknown,
}

/// Contexts to be sent, one after the other.
#[derive(Clone, Debug, Default)]
pub struct ContextListBuilder {
    list: Vec<u8>,
    count: u16,
}

impl ContextListBuilder {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: Vec::new(), count: 0 }
    }

    /// SMB2_PREAUTH_INTEGRITY_CAPABILITIES with SHA-512.
    ///
    /// # Errors
    ///
    /// The salt is too long.
    pub fn preauth_integrity(self, salt: &[u8]) -> Result<Self, TooLong> {
        let salt_len: u16 = length(salt.len(), "SaltLength")?;
        let data =
            [&[1, 0], salt_len.to_le_bytes().as_slice(), &SHA_512.to_le_bytes(), salt].concat();
        self.push(ContextType::PREAUTH_INTEGRITY, &data)
    }

    /// SMB2_ENCRYPTION_CAPABILITIES.
    ///
    /// # Errors
    ///
    /// Too many ids.
    pub fn encryption(self, ciphers: &[u16]) -> Result<Self, TooLong> {
        self.push_ids(ContextType::ENCRYPTION, ciphers)
    }

    /// SMB2_SIGNING_CAPABILITIES.
    ///
    /// # Errors
    ///
    /// Too many ids.
    pub fn signing(self, signing_algorithms: &[u16]) -> Result<Self, TooLong> {
        self.push_ids(ContextType::SIGNING, signing_algorithms)
    }

    /// SMB2_COMPRESSION_CAPABILITIES with NONE alone: a server's answer where no algorithm is common.
    ///
    /// # Errors
    ///
    /// There are 65535 contexts already.
    pub fn no_compression(self) -> Result<Self, TooLong> {
        // CompressionAlgorithmCount 1, Padding, Flags, and the algorithm NONE.
        self.push(ContextType::COMPRESSION, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    /// SMB2_NETNAME_NEGOTIATE_CONTEXT_ID: the server's name as the client knows it, UTF-16LE.
    ///
    /// # Errors
    ///
    /// The name is too long.
    pub fn net_name(self, net_name: &[u8]) -> Result<Self, TooLong> {
        self.push(ContextType::NETNAME, net_name)
    }

    /// Any other context.
    ///
    /// # Errors
    ///
    /// The data is longer than 65535 bytes, or there are that many contexts.
    pub fn push(mut self, context_type: ContextType, data: &[u8]) -> Result<Self, TooLong> {
        let data_len: u16 = length(data.len(), "DataLength")?;
        pad(&mut self.list, 8);
        self.list.extend_from_slice(&context_type.0.to_le_bytes());
        self.list.extend_from_slice(&data_len.to_le_bytes());
        self.list.extend_from_slice(&[0; 4]);
        self.list.extend_from_slice(data);
        self.count = self.count.checked_add(1).ok_or(TooLong { field: "NegotiateContextCount" })?;
        Ok(self)
    }

    /// The list, for a request or response.
    #[must_use]
    pub fn contexts(&self) -> NegotiateContexts<'_> {
        NegotiateContexts { count: self.count, list: Part::new(&self.list) }
    }

    fn push_ids(self, context_type: ContextType, ids: &[u16]) -> Result<Self, TooLong> {
        let count: u16 = length(ids.len(), "count")?;
        let data: Vec<u8> =
            core::iter::once(&count).chain(ids).flat_map(|id| id.to_le_bytes()).collect();
        self.push(context_type, &data)
    }
}
