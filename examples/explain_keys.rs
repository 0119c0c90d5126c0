//! The example of the specification (MS-NLMP 4.2.4): every key, with the rule that chose it.

use hex_literal::hex;
use ntlm::Exchange;
use ntlm::keys::{AccountSecret, KeySource, Password, StepValue};
use ntlm::text::CodePage;
use std::error::Error;

const CHALLENGE: [u8; 104] = hex!(
    "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef000000000000000024002400"
    "44000000060070170000000f53006500720076006500720002000c0044006f006d00610069006e0001000c00"
    "53006500720076006500720000000000"
);

const AUTHENTICATE: [u8; 232] = hex!(
    "4e544c4d5353500003000000180018006c00000054005400840000000c000c00480000000800080054000000"
    "100010005c00000010001000d8000000358288e20501280a0000000f44006f006d00610069006e0055007300"
    "6500720043004f004d005000550054004500520086c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"
    "68cd0ab851e51c96aabc927bebef6a1c01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000"
    "02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000c5dad254"
    "4fc9799094ce1ce90bc9d03e"
);

fn main() -> Result<(), Box<dyn Error>> {
    let exchange = Exchange::decode(None, &CHALLENGE, &AUTHENTICATE, CodePage::Cp437)?;
    println!("{}\\{} at {}", exchange.domain(), exchange.user(), exchange.workstation());

    let secret = AccountSecret::from_password(&Password::from("Password"), CodePage::Cp437);
    let proof = exchange.prove(&secret).ok_or("another password")?;
    println!("proved by {}", proof.version().name());

    let keys = exchange.keys(KeySource::Proof(proof))?;
    for step in keys.steps() {
        let doc = step.rule.doc();
        println!("\n{} ({})", step.key.name(), doc.section);
        println!("    when {}", doc.condition);
        println!("    is   {}", doc.formula);
        match step.value {
            StepValue::Known(bytes) => println!("    here {}", hex(bytes.expose())),
            StepValue::Empty => println!("    here empty"),
            StepValue::Unknown(why) => println!("    here {why}"),
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
