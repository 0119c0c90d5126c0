//! Secrets: each its own type, wiped when dropped, silent in `Debug`, neither copied nor compared by
//! accident.

/// Defines a secret of `$length` bytes.
macro_rules! secret_key {
    ($(#[$meta:meta])* $name:ident, $length:literal) => {
        $(#[$meta])*
        pub struct $name([u8; $length]);

        impl $name {
            /// Takes the bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The bytes, for whoever must spend them.
            #[must_use]
            pub const fn expose(&self) -> &[u8; $length] {
                &self.0
            }

            /// A second copy, which has to be asked for.
            #[must_use]
            pub const fn duplicate(&self) -> Self {
                Self(self.0)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                zeroize::Zeroize::zeroize(&mut self.0);
            }
        }

        impl zeroize::ZeroizeOnDrop for $name {}

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

pub(crate) use secret_key;
