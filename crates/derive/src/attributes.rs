//! `#[trace(…)]`: what may be said where.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, LitStr, Meta, Path, Result, Token, WherePredicate};

/// Bounds as they stand after `where`.
pub(crate) type Bounds = Punctuated<WherePredicate, Token![,]>;

/// Where an attribute stands.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Type,
    Variant,
    Field,
    Parameter,
}

/// What the attributes of one place say.
#[derive(Default)]
pub(crate) struct Said {
    /// Where it says so.
    pub(crate) skip: Option<Span>,
    pub(crate) bound: Option<Bounds>,
}

impl Said {
    pub(crate) fn read(attributes: &[Attribute], place: Place) -> Result<Self> {
        let mut said = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("trace")) {
            let nothing = match &attribute.meta {
                Meta::List(list) => list.tokens.is_empty(),
                Meta::Path(_) | Meta::NameValue(_) => true,
            };
            if nothing || place == Place::Parameter {
                return Err(Error::new(attribute.meta.span(), place.help()));
            }
            attribute.parse_args_with(|input: ParseStream<'_>| said.words(input, place))?;
        }
        Ok(said)
    }

    fn words(&mut self, input: ParseStream<'_>, place: Place) -> Result<()> {
        while !input.is_empty() {
            let word = input.call(Path::parse_mod_style);
            self.word(&word.map_err(|error| unknown(error.span(), place))?, input, place)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    fn word(&mut self, word: &Path, input: ParseStream<'_>, place: Place) -> Result<()> {
        let error = |text: &str| Err(Error::new(word.span(), text));
        let alone = input.is_empty() || input.peek(Token![,]);
        match (word.get_ident().map(ToString::to_string).as_deref(), place) {
            (Some("skip"), Place::Field | Place::Variant) if !alone => {
                error("`skip` stands alone: write `#[trace(skip)]`")
            }
            (Some("skip"), Place::Field | Place::Variant) if self.skip.is_some() => {
                error("`skip` is said twice: remove one")
            }
            (Some("skip"), Place::Field | Place::Variant) => {
                self.skip = Some(word.span());
                Ok(())
            }
            (Some("skip"), _) => error(
                "a whole type cannot be skipped: write `#[trace(skip)]` on the fields or variants \
                 that own no `Gc`",
            ),
            (Some("bound"), Place::Type) if self.bound.is_some() => {
                error("`bound` is said twice: write all bounds into one, with commas between them")
            }
            (Some("bound"), Place::Type) => {
                self.bound = Some(bounds(word, input)?);
                Ok(())
            }
            (Some("bound"), _) => {
                error("`bound` belongs above the struct or enum: `#[trace(bound = \"…\")]`")
            }
            _ => Err(unknown(word.span(), place)),
        }
    }
}

impl Place {
    fn help(self) -> &'static str {
        match self {
            Self::Type => "the attribute of a type is `#[trace(bound = \"T: Trace\")]`",
            Self::Variant => "the attribute of a variant is `#[trace(skip)]`",
            Self::Field => "the attribute of a field is `#[trace(skip)]`",
            Self::Parameter => {
                "a parameter takes no `#[trace(…)]`: write `#[trace(bound = \"…\")]` above the \
                 struct or enum"
            }
        }
    }
}

fn unknown(span: Span, place: Place) -> Error {
    Error::new(span, format!("unknown here: {}", place.help()))
}

fn bounds(word: &Path, input: ParseStream<'_>) -> Result<Bounds> {
    const HELP: &str = "write bounds in quotes as they would stand after `where`, separated by \
                        commas: `#[trace(bound = \"T: Trace, U: 'static\")]`";
    if !input.peek(Token![=]) {
        return Err(Error::new(word.span(), HELP));
    }
    input.parse::<Token![=]>()?;
    let text: LitStr = input.parse().map_err(|error| Error::new(error.span(), HELP))?;
    text.parse_with(Bounds::parse_terminated)
        .map_err(|error| Error::new(text.span(), format!("these are no bounds ({error}): {HELP}")))
}
