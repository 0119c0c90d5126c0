//! Nothing is allocated for a packet: not to read, sign, verify, encrypt or decrypt it, with every
//! algorithm and in every size.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests; a panic is how a test fails"
)]

use allocation_counter::measure;
use ntlm_smb::keys::{CipherKey, MacKey, PreauthIntegrityHash, SigningKey};
use ntlm_smb::smb2::{
    Command, Compound, CreateRequest, CreateResponse, ErrorResponse, Header, IoctlRequest,
    IoctlResponse, NegotiateRequest, NegotiateResponse, QueryInfoRequest, QueryInfoResponse,
    ReadRequest, ReadResponse, SessionSetupRequest, SessionSetupResponse, TransformHeader,
    TreeConnectRequest, TreeConnectResponse, WriteRequest, WriteResponse,
};
use ntlm_smb::{Cipher, Nonces, PacketCipher, Signer, SigningAlgorithm, smb1};
use serde_json::Value;
use std::hint::black_box;

fn allocations(mut work: impl FnMut()) -> u64 {
    measure(&mut work).count_total
}

const SIZES: [usize; 4] = [64, 4096, 65_536, 1 << 20];

fn message(size: usize) -> Vec<u8> {
    let mut message = Header { session_id: 3, ..Header::new(Command::WRITE, 5) }.encode().to_vec();
    message.resize(size, 0x5a);
    message
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(vec![0_u8; 100]))), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn signing_and_verifying_do_not_allocate() {
    for algorithm in SigningAlgorithm::ALL {
        let signer = Signer::new(algorithm, &SigningKey::new([7; 16]));
        for size in SIZES {
            let mut message = message(size);
            let count = allocations(|| {
                signer.sign_packet(&mut message).unwrap();
                signer.verify(&message).unwrap();
            });
            assert_eq!(count, 0, "{algorithm} {size}");
        }
    }
}

#[test]
fn encrypting_and_decrypting_do_not_allocate() {
    for kind in Cipher::ALL {
        let key = CipherKey::new(kind, &[7; 32][..kind.key_len()]).unwrap();
        let cipher = PacketCipher::new(&key);
        let mut nonces = Nonces::default();
        for size in SIZES {
            let plain = message(size);
            let mut packet = [&[0; TransformHeader::LENGTH], plain.as_slice()].concat();
            let count = allocations(|| {
                cipher.encrypt(&mut packet, nonces.next().unwrap(), 3).unwrap();
                let decrypted = cipher.decrypt(&mut packet).unwrap();
                assert!(decrypted.defect().is_none() && decrypted.message() == plain);
                cipher.decrypt(&mut packet).unwrap_err();
            });
            assert_eq!(count, 0, "{kind} {size}");
        }
    }
}

#[test]
fn smb1_does_not_allocate() {
    for size in SIZES {
        let mut message = [b"\xffSMB\x2b".as_slice(), &[0; 27], &[1, 1, 0, 0, 0]].concat();
        message.resize(size, 0x5a);
        let signer = smb1::Signer::new(&MacKey::new(&[7; 40]));
        let mut numbers = smb1::SequenceNumbers::activated();
        let count = allocations(|| {
            for _ in 0..if size > 4096 { 1 } else { 200 } {
                let header = smb1::Header::decode(&message).unwrap();
                let number = numbers.number(&header).unwrap();
                signer.sign(&mut message, number).unwrap();
                signer.verify(&message, number).unwrap();
                signer.verify_any(&message, number..=number + 1).unwrap();
                assert_eq!(smb1::Blocks::new(&message).unwrap().count(), 1);
            }
        });
        assert_eq!(count, 0, "{size}");
    }
}

/// The packets of every recorded exchange among the vectors, by their names there.
fn packets() -> Vec<(String, Vec<u8>)> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/vectors/smb.json");
    let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let vectors = file["vectors"].as_array().unwrap().iter();
    let packets = vectors.filter_map(|vector| vector["input"]["packets"].as_object()).flatten();
    let unhex = |text: &str| {
        let digits: Vec<u8> =
            text.chars().map(|digit| digit.to_digit(16).unwrap().try_into().unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    packets.map(|(name, text)| (name.clone(), unhex(text.as_str().unwrap()))).collect()
}

#[test]
fn reading_does_not_allocate() {
    let packets = packets();
    assert!(packets.len() > 100, "{}", packets.len());
    let mut read = 0;
    for (name, packet) in &packets {
        let count = allocations(|| {
            let request = NegotiateRequest::decode(packet).map(|it| it.contexts.iter().count());
            let response = NegotiateResponse::decode(packet).map(|response| {
                (response.signing_algorithm(), response.cipher(response.capabilities))
            });
            let all = [
                request.is_ok(),
                response.is_ok(),
                SessionSetupRequest::decode(packet).is_ok(),
                SessionSetupResponse::decode(packet).is_ok(),
                TreeConnectRequest::decode(packet).is_ok(),
                TreeConnectResponse::decode(packet).is_ok(),
                ErrorResponse::decode(packet).is_ok(),
                TransformHeader::decode(packet).is_ok(),
                CreateRequest::decode(packet).is_ok(),
                CreateResponse::decode(packet).is_ok(),
                ReadRequest::decode(packet).is_ok(),
                ReadResponse::decode(packet).is_ok(),
                WriteRequest::decode(packet).is_ok(),
                WriteResponse::decode(packet).is_ok(),
                IoctlRequest::decode(packet).is_ok(),
                IoctlResponse::decode(packet).is_ok(),
                QueryInfoRequest::decode(packet).is_ok(),
                QueryInfoResponse::decode(packet).is_ok(),
                smb1::TreeConnectRequest::decode(packet).is_ok(),
                smb1::TreeConnectResponse::decode(packet).is_ok(),
                smb1::NtCreateRequest::decode(packet).is_ok(),
                smb1::ReadResponse::decode(packet).is_ok(),
                smb1::WriteRequest::decode(packet).is_ok(),
                smb1::TransactionRequest::decode(packet).is_ok(),
                smb1::TransactionResponse::decode(packet).is_ok(),
                smb1::NegotiateRequest::decode(packet).is_ok_and(|it| it.dialects().count() > 0),
                smb1::NegotiateResponse::decode(packet).is_ok(),
                smb1::SessionSetupRequest::decode(packet).is_ok(),
                smb1::SessionSetupResponse::decode(packet).is_ok(),
                smb1::Blocks::new(packet).is_ok_and(|blocks| blocks.count() > 0),
            ];
            read += all.iter().filter(|is_it| **is_it).count();
        });
        assert_eq!(count, 0, "{name}");
    }
    assert!(read > 100, "{read} of them were what they were read as");
}

#[test]
fn walking_and_hashing_do_not_allocate() {
    let message = message(4096);
    let count = allocations(|| {
        assert_eq!(Compound::new(&message).count(), 1);
        black_box(PreauthIntegrityHash::default().after(&message));
    });
    assert_eq!(count, 0);
}
