//! What the types refuse. Each is a test that does not compile, beside a twin that does, so that
//! none fails for another reason than it should.

/// The callback may run on any thread: it cannot own the `Rc` that it watches.
///
/// ```compile_fail,E0277
/// use std::rc::Rc;
/// let object = Rc::new(lastly::Watched::new(1));
/// let own = Rc::clone(&object);
/// lastly::finalize(&object, move |()| drop(own), ());
/// ```
///
/// An `Arc`'s `Weak` it can.
///
/// ```
/// use std::sync::Arc;
/// let object = Arc::new(lastly::Watched::new(1));
/// let own = Arc::downgrade(&object);
/// lastly::finalize(&object, move |()| drop(own), ());
/// ```
struct OwnsItsRc;

/// Nor can its arguments.
///
/// ```compile_fail,E0277
/// use std::rc::Rc;
/// let object = Rc::new(lastly::Watched::new(1));
/// lastly::finalize(&object, drop, Rc::clone(&object));
/// ```
///
/// ```
/// use std::rc::Rc;
/// let object = Rc::new(lastly::Watched::new(1));
/// lastly::finalize(&object, drop, 1);
/// ```
struct OwnsItsRcByArgument;

/// The callback outlives the scope: it cannot borrow from it.
///
/// ```compile_fail,E0597
/// let object = lastly::Watched::new(1);
/// let name = String::from("a");
/// lastly::finalize(&object, |name: &String| println!("{name}"), &name);
/// ```
///
/// ```
/// let object = lastly::Watched::new(1);
/// let name = String::from("a");
/// lastly::finalize(&object, |name: String| println!("{name}"), name);
/// ```
struct Borrows;

/// The same for `defer`.
///
/// ```compile_fail,E0597
/// let name = String::from("a");
/// let guard = lastly::defer(|name: &String| println!("{name}"), &name);
/// ```
///
/// ```
/// let name = String::from("a");
/// let guard = lastly::defer(|name: String| println!("{name}"), name);
/// ```
struct DeferBorrows;

/// Only what is `Watched` can be watched.
///
/// ```compile_fail,E0277
/// lastly::finalize(&std::rc::Rc::new(1), |()| (), ());
/// ```
///
/// ```
/// lastly::finalize(&std::rc::Rc::new(lastly::Watched::new(1)), |()| (), ());
/// ```
struct NotWatched;

/// What can be watched is not for others to say.
///
/// ```compile_fail,E0277
/// struct Mine(lastly::Watched<u8>);
/// impl lastly::Object for Mine {
///     type Reach = ();
///     fn reach(&self) {}
/// }
/// ```
///
/// ```
/// struct Mine(lastly::Watched<u8>);
/// lastly::finalize(&Mine(lastly::Watched::new(1)).0, |()| (), ());
/// ```
struct Sealed;

/// A result of which nobody knows whether it is a failure.
///
/// ```compile_fail,E0277
/// struct Mine;
/// lastly::finalize(&lastly::Watched::new(1), |()| Mine, ());
/// ```
///
/// ```
/// struct Mine;
/// lastly::finalize(&lastly::Watched::new(1), |()| { Mine; }, ());
/// ```
struct UnknownOutcome;

/// Watching a value does not make it `Send` or `Sync`.
///
/// ```compile_fail,E0277
/// let object = lastly::Watched::new(std::rc::Rc::new(1));
/// std::thread::spawn(move || drop(object));
/// ```
///
/// ```
/// let object = lastly::Watched::new(std::sync::Arc::new(1));
/// std::thread::spawn(move || drop(object));
/// ```
struct WatchedIsNotSend;

/// ```compile_fail,E0277
/// let object = lastly::Watched::new(std::cell::Cell::new(1));
/// std::thread::scope(|scope| _ = scope.spawn(|| object.set(2)));
/// ```
///
/// ```
/// let object = lastly::Watched::new(std::sync::atomic::AtomicU8::new(1));
/// std::thread::scope(|scope| _ = scope.spawn(|| object.load(std::sync::atomic::Ordering::SeqCst)));
/// ```
struct WatchedIsNotSync;

/// A handle that leads back to an `Rc` stays on its thread; erased, it may go.
///
/// ```compile_fail,E0277
/// let object = std::rc::Rc::new(lastly::Watched::new(1));
/// let finalizer = lastly::finalize(&object, |()| (), ());
/// std::thread::spawn(move || finalizer.call());
/// ```
///
/// ```
/// let object = std::rc::Rc::new(lastly::Watched::new(1));
/// let finalizer = lastly::finalize(&object, |()| (), ()).erase();
/// std::thread::spawn(move || finalizer.call().is_some());
/// ```
struct HandleToAnRc;

/// What the end of the program may take at any moment cannot be reached through the guard.
///
/// ```compile_fail,E0599
/// let guard = lastly::defer(drop, String::from("a"));
/// assert_eq!(guard.len(), 1);
/// ```
///
/// ```
/// let guard = lastly::defer(drop, String::from("a"));
/// assert_eq!(guard.peek(|(), _, text| text.len()), Some(1));
/// ```
struct GuardIsNotItsArguments;

/// What is looked at cannot be taken out of the look.
///
/// ```compile_fail
/// let object = lastly::Watched::new(1);
/// let finalizer = lastly::finalize(&object, drop, String::from("a"));
/// let text: Option<&String> = finalizer.peek(|(), _, text| text);
/// ```
///
/// ```
/// let object = lastly::Watched::new(1);
/// let finalizer = lastly::finalize(&object, drop, String::from("a"));
/// let text: Option<String> = finalizer.peek(|(), _, text| text.clone());
/// ```
struct LooksDoNotEscape;
