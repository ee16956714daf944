//! What `Trace` and its derive refuse. Each is a test that does not compile, beside a twin that
//! does, so that none fails for another reason than it should. (The words of the derive's own
//! errors are tested there.)

/// Only what the collector can look into can be in a `Gc`.
///
/// ```compile_fail,E0277
/// struct Mine;
/// lastly::Gc::new(Mine);
/// ```
///
/// ```
/// #[derive(lastly::Trace)]
/// struct Mine;
/// lastly::Gc::new(Mine);
/// ```
struct NoTrace;

/// And only what borrows nothing from the outside.
///
/// ```compile_fail,E0597
/// let number = 1;
/// lastly::Gc::new(&number);
/// ```
///
/// ```
/// static NUMBER: u8 = 1;
/// lastly::Gc::new(&NUMBER);
/// ```
struct Borrows;

/// The fields are looked into, unless they are skipped.
///
/// ```compile_fail,E0277
/// #[derive(lastly::Trace)]
/// struct Mine(Box<dyn Fn()>);
/// ```
///
/// ```
/// #[derive(lastly::Trace)]
/// struct Mine(#[trace(skip)] Box<dyn Fn()>);
/// ```
struct FieldWithoutTrace;

/// A parameter has to be `Trace`, by default.
///
/// ```compile_fail,E0277
/// #[derive(lastly::Trace)]
/// struct Mine<T>(#[trace(skip)] T);
/// struct Other;
/// lastly::Gc::new(Mine(Other));
/// ```
///
/// ```
/// #[derive(lastly::Trace)]
/// #[trace(bound = "")]
/// struct Mine<T>(#[trace(skip)] T);
/// struct Other;
/// lastly::Gc::new(Mine(Other));
/// ```
struct ParameterWithoutTrace;

/// Bounds that do not say enough are no way around it.
///
/// ```compile_fail,E0277
/// #[derive(lastly::Trace)]
/// #[trace(bound = "")]
/// struct Mine<T>(Vec<T>);
/// ```
///
/// ```
/// #[derive(lastly::Trace)]
/// #[trace(bound = "T: lastly::Trace")]
/// struct Mine<T>(Vec<T>);
/// ```
struct TooFewBounds;

/// Who writes it by hand promises something.
///
/// ```compile_fail,E0200
/// struct Mine;
/// impl lastly::Trace for Mine {
///     fn trace(&self, _: &mut lastly::Tracer) {}
/// }
/// ```
///
/// ```
/// struct Mine;
/// unsafe impl lastly::Trace for Mine {
///     fn trace(&self, _: &mut lastly::Tracer) {}
/// }
/// ```
struct SafeByHand;

/// A union does not say what it holds.
///
/// ```compile_fail
/// #[derive(lastly::Trace)]
/// union Mine {
///     number: u8,
/// }
/// ```
///
/// ```
/// #[derive(lastly::Trace)]
/// enum Mine {
///     Number(u8),
/// }
/// ```
struct Union;

/// There are no references to the fields of a packed struct.
///
/// ```compile_fail
/// #[derive(lastly::Trace)]
/// #[repr(C, packed)]
/// struct Mine(u8, u16);
/// ```
///
/// ```
/// #[derive(lastly::Trace)]
/// #[repr(C)]
/// struct Mine(u8, u16);
/// ```
struct Packed;

/// A misspelt attribute is not ignored.
///
/// ```compile_fail
/// #[derive(lastly::Trace)]
/// struct Mine(#[trace(skipp)] u8);
/// ```
///
/// ```
/// #[derive(lastly::Trace)]
/// struct Mine(#[trace(skip)] u8);
/// ```
struct Misspelt;

/// Only a search for garbage looks into values: what `Trace` finds changes marks.
///
/// ```compile_fail,E0599
/// use lastly::{Gc, Trace, Tracer};
/// Gc::new(1).trace(&mut Tracer::default());
/// ```
///
/// ```
/// use lastly::{Gc, Trace, Tracer};
/// fn look(value: &dyn Trace, tracer: &mut Tracer) {
///     value.trace(tracer);
/// }
/// ```
struct NobodyElseTraces;

/// A pointer to a value of a longer life is one to a value of a shorter; but nothing can be written by
/// that, for a drop that has to wait to look at later.
///
/// ```compile_fail,E0597
/// #[derive(lastly::Trace)]
/// struct Name<'a>(&'a str);
/// fn shorten<'a>(name: lastly::Gc<Name<'static>>, _: &'a str) -> lastly::Gc<Name<'a>> {
///     name
/// }
/// let text = String::from("a");
/// let mut name = shorten(lastly::Gc::new(Name("")), &text);
/// lastly::Gc::get_mut(&mut name).unwrap().0 = &text;
/// ```
///
/// ```
/// #[derive(lastly::Trace)]
/// struct Name<'a>(&'a str);
/// fn shorten<'a>(name: lastly::Gc<Name<'static>>, _: &'a str) -> lastly::Gc<Name<'a>> {
///     name
/// }
/// let text = String::from("a");
/// let name = shorten(lastly::Gc::new(Name("")), &text);
/// assert_eq!(name.0, "");
/// let mut name = lastly::Gc::new(Name(""));
/// lastly::Gc::get_mut(&mut name).unwrap().0 = "a";
/// ```
struct NothingShorterIsWritten;
