//! Account files in every format, and the search for each account in them.
#![no_main]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format, Secret};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = Format::detect(&text);
    for format in [Format::Toml, Format::UserFile, Format::Smbpasswd] {
        let mut accounts = Accounts::new(CodePage::Cp850);
        match accounts.add("fuzz", &text, format) {
            Ok(()) => {
                for account in accounts.iter() {
                    let domain = account.domain.clone().unwrap_or_default();
                    match accounts.find(&account.user, &domain) {
                        Err(ambiguous) => drop(ambiguous.to_string()),
                        Ok(Some(_)) => {}
                        Ok(None) => assert!(!matches!(account.secret, Secret::Account(_))),
                    }
                }
                let _ = accounts.find(&"alice".into(), &"".into());
                let _ = accounts.find_session_key([1; 8]);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
