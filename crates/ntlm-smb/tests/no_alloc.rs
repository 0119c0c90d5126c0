//! Nothing is allocated for a packet: not to decode, sign, verify, encrypt or decrypt it.

use allocation_counter::measure;
use ntlm_smb::keys::{CipherKey, MacKey, PreauthIntegrityHash, SigningKey};
use ntlm_smb::smb2::{Command, Compound, Header, TransformHeader};
use ntlm_smb::{Cipher, Nonces, PacketCipher, Signer, SigningAlgorithm, smb1};
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
    let mut message = [b"\xffSMB\x2b".as_slice(), &[0; 27], &[1, 1, 0, 0, 0]].concat();
    let signer = smb1::Signer::new(&MacKey::new(&[7; 40]));
    let mut numbers = smb1::SequenceNumbers::activated();
    let count = allocations(|| {
        for _ in 0..200 {
            let header = smb1::Header::decode(&message).unwrap();
            let number = numbers.number(&header).unwrap();
            signer.sign(&mut message, number).unwrap();
            signer.verify(&message, number).unwrap();
            assert_eq!(smb1::Blocks::new(&message).unwrap().count(), 1);
        }
    });
    assert_eq!(count, 0);
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
