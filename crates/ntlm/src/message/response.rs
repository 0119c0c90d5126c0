//! The response structures (MS-NLMP 2.2.2.3, 2.2.2.4, 2.2.2.6 to 2.2.2.8).

use super::TargetInfo;
use crate::time::FileTime;
use crate::wire::{DecodeError, DecodeErrorKind, array_at};
use alloc::vec::Vec;

/// The NT response, told apart by its length (MS-NLMP 3.2.5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NtChallengeResponse<'a> {
    /// No bytes: anonymous, or the LM field is all there is.
    Empty,
    /// `NTLM_RESPONSE` (MS-NLMP 2.2.2.6), with or without extended session security.
    Ntlmv1([u8; 24]),
    /// `NTLMv2_RESPONSE` (MS-NLMP 2.2.2.8).
    Ntlmv2(Ntlmv2Response<'a>),
}

impl<'a> NtChallengeResponse<'a> {
    /// # Errors
    ///
    /// A length other than 0, 24, or 48 and more; offsets count from the response.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match bytes.len() {
            0 => Ok(Self::Empty),
            24 => array_at(bytes, 0).map(Self::Ntlmv1).ok_or(WRONG_LENGTH),
            _ => Ntlmv2Response::decode(bytes).map(Self::Ntlmv2),
        }
    }
}

const WRONG_LENGTH: DecodeError =
    DecodeError { kind: DecodeErrorKind::WrongLength, field: "NtChallengeResponse", offset: 0 };

/// `NTLMv2_RESPONSE`: NTProofStr and the bytes it is computed over (MS-NLMP 2.2.2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ntlmv2Response<'a> {
    /// The proof, 16 bytes.
    pub nt_proof_str: [u8; 16],
    /// `temp` of MS-NLMP 3.3.2 exactly as received, trailing bytes included.
    pub client_challenge_bytes: &'a [u8],
    /// The same, decoded.
    pub client_challenge: Ntlmv2ClientChallenge<'a>,
}

impl<'a> Ntlmv2Response<'a> {
    /// NTProofStr, the fixed part and an `AV_PAIR` list of one `MsvAvEOL`.
    pub const MIN_LENGTH: usize = 48;

    /// # Errors
    ///
    /// Fewer bytes than [`Self::MIN_LENGTH`]; offsets count from the response.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (nt_proof_str, rest) = bytes.split_first_chunk::<16>().ok_or(WRONG_LENGTH)?;
        if bytes.len() < Self::MIN_LENGTH {
            return Err(WRONG_LENGTH);
        }
        Ok(Self {
            nt_proof_str: *nt_proof_str,
            client_challenge_bytes: rest,
            client_challenge: Ntlmv2ClientChallenge::decode(rest)
                .map_err(|error| error.within(16))?,
        })
    }

    /// The `AV_PAIR` list that the client sent back, with what follows `MsvAvEOL`.
    #[must_use]
    pub const fn target_info(&self) -> TargetInfo<'a> {
        self.client_challenge.target_info
    }
}

/// `NTLMv2_CLIENT_CHALLENGE`, which MS-NLMP 3.3.2 calls `temp` (MS-NLMP 2.2.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ntlmv2ClientChallenge<'a> {
    /// RespType, 1.
    pub resp_type: u8,
    /// HiRespType, 1.
    pub hi_resp_type: u8,
    /// The server's MsvAvTimestamp, or the client's own clock.
    pub time_stamp: FileTime,
    /// The client's nonce.
    pub challenge_from_client: [u8; 8],
    /// The `AV_PAIR` list and the bytes behind it.
    pub target_info: TargetInfo<'a>,
}

impl<'a> Ntlmv2ClientChallenge<'a> {
    /// Bytes before the `AV_PAIR` list.
    pub const FIXED_LENGTH: usize = 28;

    /// # Errors
    ///
    /// Fewer bytes than the fixed part; offsets count from RespType.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let truncated = DecodeError {
            kind: DecodeErrorKind::Truncated,
            field: "NTLMv2_CLIENT_CHALLENGE",
            offset: bytes.len(),
        };
        let [resp_type, hi_resp_type] = array_at(bytes, 0).ok_or(truncated)?;
        Ok(Self {
            resp_type,
            hi_resp_type,
            time_stamp: array_at(bytes, 8).map(FileTime::from_le_bytes).ok_or(truncated)?,
            challenge_from_client: array_at(bytes, 16).ok_or(truncated)?,
            target_info: bytes.get(Self::FIXED_LENGTH..).map(TargetInfo::new).ok_or(truncated)?,
        })
    }

    /// Encodes as MS-NLMP 3.3.2 says: reserved fields zero, four zeros behind the list.
    #[must_use]
    pub fn encode(
        time_stamp: FileTime,
        challenge_from_client: [u8; 8],
        target_info: TargetInfo<'_>,
    ) -> Vec<u8> {
        let list = target_info.bytes();
        let mut temp = Vec::with_capacity(Self::FIXED_LENGTH + list.len() + 4);
        temp.extend_from_slice(&[1, 1, 0, 0, 0, 0, 0, 0]);
        temp.extend_from_slice(&time_stamp.to_le_bytes());
        temp.extend_from_slice(&challenge_from_client);
        temp.extend_from_slice(&[0; 4]);
        temp.extend_from_slice(list);
        temp.extend_from_slice(&[0; 4]);
        temp
    }
}

/// `LMv2_RESPONSE` (MS-NLMP 2.2.2.4), 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LmV2Response {
    /// The proof, 16 bytes.
    pub response: [u8; 16],
    /// The client's nonce.
    pub challenge_from_client: [u8; 8],
}

impl LmV2Response {
    /// `None` unless there are 24 bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (response, challenge_from_client) = bytes.split_first_chunk::<16>()?;
        let challenge_from_client = challenge_from_client.try_into().ok()?;
        Some(Self { response: *response, challenge_from_client })
    }
}
