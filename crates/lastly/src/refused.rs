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

/// A `Gc` stays on its thread.
///
/// ```compile_fail,E0277
/// let object = lastly::Gc::new(1);
/// std::thread::spawn(move || drop(object));
/// ```
///
/// Its value may go.
///
/// ```
/// let object = lastly::Gc::new(1);
/// let value = *object;
/// std::thread::spawn(move || drop(value));
/// ```
struct GcIsNotSend;

/// ```compile_fail,E0277
/// let object = lastly::Gc::new(1);
/// std::thread::scope(|scope| _ = scope.spawn(|| *object));
/// ```
///
/// ```
/// let object = lastly::Gc::new(1);
/// let value: &i32 = &object;
/// std::thread::scope(|scope| _ = scope.spawn(|| *value));
/// ```
struct GcIsNotSync;

/// So does a `Weak`.
///
/// ```compile_fail,E0277
/// let object = lastly::Gc::new(1);
/// let weak = lastly::Gc::downgrade(&object);
/// std::thread::spawn(move || drop(weak));
/// ```
///
/// ```
/// let object = lastly::Gc::new(1);
/// let weak = lastly::Gc::downgrade(&object);
/// let alive = weak.upgrade().is_some();
/// std::thread::spawn(move || drop(alive));
/// ```
struct WeakIsNotSend;

/// ```compile_fail,E0277
/// let weak = lastly::Weak::<i32>::new();
/// std::thread::scope(|scope| _ = scope.spawn(|| weak.upgrade().is_none()));
/// ```
///
/// ```
/// let weak = lastly::Weak::<i32>::new();
/// let dead = weak.upgrade().is_none();
/// std::thread::scope(|scope| _ = scope.spawn(|| dead));
/// ```
struct WeakIsNotSync;

/// A callback cannot own the `Gc` that it watches, nor any other.
///
/// ```compile_fail,E0277
/// let object = lastly::Gc::new(1);
/// let own = object.clone();
/// lastly::finalize(&object, move |()| drop(own), ());
/// ```
///
/// ```
/// let object = lastly::Gc::new(1);
/// let own = *object;
/// lastly::finalize(&object, move |()| drop(own), ());
/// ```
struct OwnsItsGc;

/// Nor can its arguments.
///
/// ```compile_fail,E0277
/// let object = lastly::Gc::new(1);
/// lastly::finalize(&object, drop, object.clone());
/// ```
///
/// ```
/// let object = lastly::Gc::new(1);
/// lastly::finalize(&object, drop, *object);
/// ```
struct OwnsItsGcByArgument;

/// Nor even a `Weak`: at exit it may run on any thread.
///
/// ```compile_fail,E0277
/// let object = lastly::Gc::new(1);
/// lastly::finalize(&object, drop, lastly::Gc::downgrade(&object));
/// ```
///
/// The handle has one, which leads back to the object on the object's thread.
///
/// ```
/// let object = lastly::Gc::new(1);
/// let finalizer = lastly::finalize(&object, drop, 1);
/// assert!(finalizer.peek(|object, _, _| object.is_some()).unwrap());
/// ```
struct OwnsItsWeak;

/// A handle that leads back to a `Gc` stays on its thread; erased, it may go.
///
/// ```compile_fail,E0277
/// let object = lastly::Gc::new(1);
/// let finalizer = lastly::finalize(&object, |()| (), ());
/// std::thread::spawn(move || finalizer.call());
/// ```
///
/// ```
/// let object = lastly::Gc::new(1);
/// let finalizer = lastly::finalize(&object, |()| (), ()).erase();
/// std::thread::spawn(move || finalizer.call().is_some());
/// ```
struct HandleToAGc;

/// ```compile_fail,E0277
/// struct Node;
/// let nodes: lastly::Gc<[Node]> = [Node].into();
/// ```
///
/// ```
/// #[derive(lastly::Trace)]
/// struct Node;
/// let nodes: lastly::Gc<[Node]> = [Node].into();
/// ```
struct SliceNotTraced;

/// A `Gc` is shared: its value is changed through a cell, or where there is one pointer only.
///
/// ```compile_fail,E0594
/// let mut object = lastly::Gc::new(1);
/// *object = 2;
/// ```
///
/// ```
/// let mut object = lastly::Gc::new(1);
/// *lastly::Gc::get_mut(&mut object).unwrap() = 2;
/// ```
struct GcIsShared;

/// A reference to the value lives no longer than the pointer.
///
/// ```compile_fail,E0505
/// let object = lastly::Gc::new(1);
/// let value = lastly::Gc::try_deref(&object);
/// drop(object);
/// assert_eq!(value, Some(&1));
/// ```
///
/// ```
/// let object = lastly::Gc::new(1);
/// let value = lastly::Gc::try_deref(&object).copied();
/// drop(object);
/// assert_eq!(value, Some(1));
/// ```
struct ReferencesDoNotEscape;

/// An object can be taken for what its type implements, and nothing else.
///
/// ```compile_fail,E0277
/// #[derive(lastly::Trace)]
/// struct Mine;
/// lastly::unsize!(lastly::Gc::new(Mine) => dyn std::fmt::Debug);
/// ```
///
/// ```
/// #[derive(lastly::Trace, Debug)]
/// struct Mine;
/// lastly::unsize!(lastly::Gc::new(Mine) => dyn std::fmt::Debug);
/// ```
struct UnsizedToWhatItIsNot;

/// No other pointer comes out of that.
///
/// ```compile_fail,E0308
/// let object = lastly::Gc::new(1_u8);
/// lastly::unsize!(object => u16);
/// ```
///
/// ```
/// let object = lastly::Gc::new(1_u8);
/// lastly::unsize!(object => u8);
/// ```
struct UnsizedToAnother;

/// A pause is this thread's.
///
/// ```compile_fail,E0277
/// let paused = lastly::collector::pause();
/// std::thread::spawn(move || drop(paused));
/// ```
///
/// ```
/// let paused = lastly::collector::pause();
/// drop(paused);
/// std::thread::spawn(|| drop(lastly::collector::pause()));
/// ```
struct PauseStays;

/// A pause is of the thread that made it: another cannot end it.
///
/// ```compile_fail,E0277
/// let pause = lastly::paused();
/// std::thread::spawn(move || drop(pause));
/// ```
///
/// ```
/// let pause = lastly::paused();
/// drop(pause);
/// ```
struct EndsAPauseElsewhere;

/// Nor can another look at it.
///
/// ```compile_fail,E0277
/// let pause = lastly::paused();
/// std::thread::scope(|scope| scope.spawn(|| drop(&pause)).join());
/// ```
///
/// ```
/// let pause = ();
/// std::thread::scope(|scope| scope.spawn(|| drop(&pause)).join());
/// ```
struct SharesAPause;

/// The callback runs on the cleaner's thread: it cannot own what must not go there.
///
/// ```compile_fail,E0277
/// use std::rc::Rc;
/// let object = lastly::Watched::new(1);
/// lastly::Cleaner::new(1).finalize(&object, drop, Rc::new(2));
/// ```
///
/// ```
/// use std::sync::Arc;
/// let object = lastly::Watched::new(1);
/// lastly::Cleaner::new(1).finalize(&object, drop, Arc::new(2));
/// ```
struct HandsOverAnRc;

/// A callback of which nobody knows whether it failed, for a cleaner and a pressure as well.
///
/// ```compile_fail,E0277
/// struct Mine;
/// let object = lastly::Watched::new(1);
/// lastly::Pressure::new(1).finalize(&object, |()| Mine, ());
/// ```
///
/// ```
/// struct Mine;
/// let object = lastly::Watched::new(1);
/// lastly::Pressure::new(1).finalize(&object, |()| drop(Mine), ());
/// ```
struct WeighsWithoutOutcome;

/// A cleaner that is closed is gone.
///
/// ```compile_fail,E0382
/// let cleaner = lastly::Cleaner::new(1);
/// cleaner.close();
/// cleaner.drain(None);
/// ```
///
/// ```
/// let cleaner = lastly::Cleaner::new(1);
/// cleaner.clone().close();
/// cleaner.drain(None);
/// ```
struct ClosesTwice;

/// Cleaners and pressures are shared between threads.
///
/// ```
/// fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
/// shared::<lastly::Cleaner>();
/// shared::<lastly::Pressure>();
/// ```
struct Shared;
