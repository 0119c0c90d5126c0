//! NTLM.
#![no_std]
extern crate alloc;
