//! A capture from its bytes to the page and the JSON that explain it.
#![no_main]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Limits};
use ntlm_explain::netlogon::ChannelExplained;
use ntlm_explain::{Explained, Known, Sink, explain_capture, render};
use std::sync::LazyLock;

/// The accounts of the seeds, so that they are explained down to the last key.
static ACCOUNTS: LazyLock<Accounts> = LazyLock::new(|| {
    let mut accounts = Accounts::new(CodePage::Cp850);
    let text = include_str!("../../../testdata/accounts.toml");
    accounts.add("accounts.toml", text, Format::Toml).expect("accounts.toml is good");
    accounts
});

/// Draws and writes all that is found.
struct Look;

impl Sink for Look {
    fn exchange(&mut self, mut explained: Explained) {
        let _ = render::exchange(&explained, render::Layout::new(80));
        explained.redact_keys();
        serde_json::to_string(&explained).expect("it becomes JSON");
    }

    fn channel(&mut self, mut channel: ChannelExplained) {
        let _ = render::channel(&channel, render::Layout::new(80));
        let _ = render::html_channel(&channel);
        channel.redact_keys();
        serde_json::to_string(&channel).expect("it becomes JSON");
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let known = Known { accounts: &ACCOUNTS, code_page: CodePage::Cp850 };
    let mut capture = Capture::new(data, Limits::default());
    let _ = explain_capture(&mut capture, known, &mut Look);
});
