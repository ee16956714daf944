//! `#[derive(Trace)]` for the `Gc` pointer of the `lastly` crate, which re-exports it.
//!
//! # Why what it writes is sound, whatever stands around it
//!
//! The trait's contract is to find no `Gc` that the value does not own, and none twice. So:
//!
//! - The fields are taken apart by a pattern that names each once. A pattern never goes through
//!   `Deref`, which `self.field` would if another macro took the field away.
//! - Each is passed to `::lastly::Trace::trace`, which leaves the type to be inferred: no
//!   coercion can put something else in its place, and no method or trait of the same name that
//!   is in scope is picked up.
//! - What it writes names nothing that could be somebody else's and still fit the signatures of
//!   the trait. In particular, it calls no helper by a path: with `extern crate self as lastly` a
//!   program can put its own there.
//! - To skip a field is always sound: what is not found counts as held from outside.

mod attributes;
mod expand;
mod shape;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Implements `lastly::Trace`: looks into each field.
///
/// - `#[trace(skip)]` on a field, or on a variant of an enum: not looked into. Its type need not
///   implement `Trace`. If it does own a `Gc`, then cycles through it leak.
/// - `#[trace(bound = "T: Trace, U: 'static")]` on the struct or enum: instead of the default
///   bounds, which are `Trace` for each type parameter. What the type itself declares stays.
///
/// ```ignore
/// #[derive(Trace)]
/// #[trace(bound = "")] // `Key` is never owned
/// struct Table<Key> {
///     rows: RefCell<Vec<Gc<Row>>>,
///     #[trace(skip)]
///     compare: Box<dyn Fn(&Key, &Key) -> bool>,
/// }
/// ```
///
/// Function pointers are passed over without being told to. A packed struct cannot be looked into,
/// as no reference to its fields may exist; nor can a union, which does not say what it holds.
#[proc_macro_derive(Trace, attributes(trace))]
pub fn derive_trace(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
