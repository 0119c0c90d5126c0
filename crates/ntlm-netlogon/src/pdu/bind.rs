//! bind, bind_ack, bind_nak; alter_context and its answer have the same bodies (C706 12.6.4).

use super::syntax::SyntaxId;
use crate::error::{DecodeError, TooLong};
use crate::wire::{Reader, Writer, length};
use alloc::vec::Vec;

/// The body of bind and alter_context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The longest fragment that the client sends, in bytes.
    pub max_xmit_frag: u16,
    /// The longest fragment that it takes, in bytes.
    pub max_recv_frag: u16,
    /// 0 for a new association group.
    pub assoc_group_id: u32,
    /// p_context_elem: what it wants to speak.
    pub contexts: Vec<PresentationContext>,
}

/// p_cont_elem_t: an interface, and the transfer syntaxes that the client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentationContext {
    /// p_cont_id: what requests call it.
    pub context_id: u16,
    /// The interface.
    pub abstract_syntax: SyntaxId,
    /// One of these.
    pub transfer_syntaxes: Vec<SyntaxId>,
}

impl Bind {
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let max_xmit_frag = r.u16("max_xmit_frag")?;
        let max_recv_frag = r.u16("max_recv_frag")?;
        let assoc_group_id = r.u32("assoc_group_id")?;
        let count = r.u8("n_context_elem")?;
        r.array::<3>("reserved")?;
        // 255 at most, and each is read from bytes that are there.
        let contexts =
            (0..count).map(|_| PresentationContext::read(r)).collect::<Result<_, _>>()?;
        Ok(Self { max_xmit_frag, max_recv_frag, assoc_group_id, contexts })
    }

    pub(crate) fn write(&self, w: &mut Writer) -> Result<(), TooLong> {
        w.u16(self.max_xmit_frag);
        w.u16(self.max_recv_frag);
        w.u32(self.assoc_group_id);
        w.u8(length(self.contexts.len(), "n_context_elem")?);
        w.zeros(3);
        self.contexts.iter().try_for_each(|context| context.write(w))
    }
}

impl PresentationContext {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let context_id = r.u16("p_cont_id")?;
        let count = r.u8("n_transfer_syn")?;
        r.u8("reserved")?;
        let abstract_syntax = SyntaxId::read(r, "abstract_syntax")?;
        let syntaxes = (0..count).map(|_| SyntaxId::read(r, "transfer_syntaxes"));
        let transfer_syntaxes = syntaxes.collect::<Result<_, _>>()?;
        Ok(Self { context_id, abstract_syntax, transfer_syntaxes })
    }

    fn write(&self, w: &mut Writer) -> Result<(), TooLong> {
        w.u16(self.context_id);
        w.u8(length(self.transfer_syntaxes.len(), "n_transfer_syn")?);
        w.u8(0);
        self.abstract_syntax.write(w);
        self.transfer_syntaxes.iter().for_each(|syntax| syntax.write(w));
        Ok(())
    }
}

/// The body of bind_ack and of the answer to alter_context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAck<'a> {
    /// The longest fragment that the server sends, in bytes.
    pub max_xmit_frag: u16,
    /// The longest fragment that it takes, in bytes.
    pub max_recv_frag: u16,
    /// The association group.
    pub assoc_group_id: u32,
    /// sec_addr: port or pipe as text, with its NUL. Empty in the answer to alter_context.
    pub sec_addr: &'a [u8],
    /// p_result_list, one for each context, in the same order.
    pub results: Vec<ContextResult>,
}

/// p_result_t: what became of a presentation context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextResult {
    /// 0 taken, 1 and 2 refused, 3 an answer to features (MS-RPCE 2.2.2.4).
    pub result: u16,
    /// Why it was refused, or which features.
    pub reason: u16,
    /// Which transfer syntax.
    pub transfer_syntax: SyntaxId,
}

impl ContextResult {
    /// `result` of a context that was taken.
    pub const ACCEPTANCE: u16 = 0;
}

impl<'a> BindAck<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let max_xmit_frag = r.u16("max_xmit_frag")?;
        let max_recv_frag = r.u16("max_recv_frag")?;
        let assoc_group_id = r.u32("assoc_group_id")?;
        let length = r.u16("sec_addr")?;
        let sec_addr = r.take(usize::from(length), "sec_addr")?;
        r.align(4, "pad2")?;
        let count = r.u8("n_results")?;
        r.array::<3>("reserved")?;
        let results = (0..count).map(|_| ContextResult::read(r)).collect::<Result<_, _>>()?;
        Ok(Self { max_xmit_frag, max_recv_frag, assoc_group_id, sec_addr, results })
    }

    pub(crate) fn write(&self, w: &mut Writer) -> Result<(), TooLong> {
        w.u16(self.max_xmit_frag);
        w.u16(self.max_recv_frag);
        w.u32(self.assoc_group_id);
        w.u16(length(self.sec_addr.len(), "sec_addr")?);
        w.bytes(self.sec_addr);
        w.align(4);
        w.u8(length(self.results.len(), "n_results")?);
        w.zeros(3);
        self.results.iter().for_each(|result| result.write(w));
        Ok(())
    }
}

impl ContextResult {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let result = r.u16("result")?;
        let reason = r.u16("reason")?;
        let transfer_syntax = SyntaxId::read(r, "transfer_syntax")?;
        Ok(Self { result, reason, transfer_syntax })
    }

    fn write(&self, w: &mut Writer) {
        w.u16(self.result);
        w.u16(self.reason);
        self.transfer_syntax.write(w);
    }
}

/// The body of bind_nak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindNak<'a> {
    /// provider_reject_reason.
    pub reason: u16,
    /// versions: major and minor of the protocols that the server speaks.
    pub versions: Vec<[u8; 2]>,
    /// Padding, and what MS-RPCE 2.2.2.9 adds behind.
    pub rest: &'a [u8],
}

impl<'a> BindNak<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let reason = r.u16("provider_reject_reason")?;
        let count = r.u8("n_protocols")?;
        let versions = (0..count).map(|_| r.array("versions")).collect::<Result<_, _>>()?;
        Ok(Self { reason, versions, rest: r.rest() })
    }

    pub(crate) fn write(&self, w: &mut Writer) -> Result<(), TooLong> {
        w.u16(self.reason);
        w.u8(length(self.versions.len(), "n_protocols")?);
        self.versions.iter().for_each(|version| w.bytes(version));
        w.bytes(self.rest);
        Ok(())
    }
}
