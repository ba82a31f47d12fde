//! Forged accounts: each lie is found out, by the rule that it breaks.

use super::{Rule, check};
use crate::{
    faults::accounts::{Accounts, Asked, Call, Kept, KeptThread, Saw, Told, Watched},
    reference::{
        Action, Answer, Delivery, Kind, MessageNo, Order, Placement, Reading, Tenant, Watch,
        Watcher,
    },
    support::rstest,
};

const USERS: [&str; 2] = ["ana", "ben"];

/// Two threads of two people.
fn truth() -> Accounts {
    truth_of([
        ("ana", send("plans", "one", 1)),
        ("ben", reply("two", 2)),
        (
            "ana",
            Action::MarkRead {
                thread: 0,
                up_to_number: None,
            },
        ),
        ("ben", edit("three")),
        ("ben", reply("four", 3)),
        ("ana", Action::Delete(0)),
        ("ana", send("more", "five", 4)),
        ("ana", Action::Restore(0)),
        ("ben", reply("six", 5)),
    ])
}

/// What comes of these steps, as the model has it; each is answered before the next begins, and
/// its answer is what the model says. Then ben reads the first thread.
fn truth_of(steps: impl IntoIterator<Item = (&'static str, Action)>) -> Accounts {
    let mut model = Tenant::default();
    let mut accounts = Accounts::default();
    for (caller, action) in steps {
        let answer = model.act(caller, 0, &action).expect("nothing is refused");
        tell(
            &mut accounts,
            caller,
            Asked::Act(action),
            Told::Answer(answer),
        );
    }
    let view = model.view("ben", 0).expect("ben takes part");
    let mut messages = model.read("ben", &reading(0)).expect("ben takes part");
    messages.reverse();
    tell(
        &mut accounts,
        "ben",
        Asked::Read(0),
        Told::Read(view, messages),
    );

    accounts.kept = kept(&model);
    let own = USERS.map(|user| Watcher::Own(user.to_owned()));
    for watcher in [Watcher::AllUsers, Watcher::AllUsers]
        .into_iter()
        .chain(own)
    {
        accounts.watched.push(watched(&model, watcher));
    }
    accounts
}

fn send(subject: &str, content: &str, request: u32) -> Action {
    Action::Send {
        recipients: vec!["ben".to_owned()],
        subject: subject.to_owned(),
        content: content.to_owned(),
        request: Some(request),
    }
}

fn reply(content: &str, request: u32) -> Action {
    Action::Reply {
        thread: 0,
        content: content.to_owned(),
        subject: None,
        request: Some(request),
    }
}

fn edit(content: &str) -> Action {
    Action::Edit {
        message: MessageNo {
            thread: 0,
            number: 2,
        },
        content: content.to_owned(),
        expected_revision: None,
    }
}

fn reading(thread: usize) -> Reading {
    Reading {
        thread,
        order: Order::OldestFirst,
        exclude_sender: None,
    }
}

/// Adds a call that begins after all others have been answered.
fn tell(accounts: &mut Accounts, caller: &str, asked: Asked, told: Told) {
    let begun = 10 * accounts.calls.len() as u64;
    accounts.calls.push(Call {
        caller: caller.to_owned(),
        asked,
        begun,
        answered: Some((begun + 5, told)),
    });
}

fn kept(model: &Tenant) -> Kept {
    let mut kept = Kept::default();
    for thread in 0..model.threads.len() {
        let messages = model.read("ana", &reading(thread)).expect("ana takes part");
        let views = USERS.map(|user| {
            let view = model.view(user, thread).expect("both take part");
            (user.to_owned(), view)
        });
        let views = views.into();
        kept.threads.insert(thread, KeptThread { messages, views });
    }
    for user in USERS {
        kept.summaries.insert(user.to_owned(), model.summary(user));
    }
    kept
}

fn watched(model: &Tenant, watcher: Watcher) -> Watched {
    let watch = Watch {
        watcher: watcher.clone(),
        thread: None,
        kinds: Vec::<Kind>::new(),
    };
    let positions = model.watched(&watch, 0).into_iter();
    let stretch = positions.map(|position| Saw {
        token: format!("token {position}"),
        actor: model.log[position - 1].actor.clone(),
        delivery: model.delivery(position, &watcher),
    });
    Watched {
        stretches: vec![stretch.collect()],
        watcher,
    }
}

#[test]
fn the_truth_is_believed() {
    let violations = check(&truth());
    assert!(violations.is_empty(), "{violations:?}");
}

#[test]
fn what_was_not_answered_may_have_been_done_or_not() {
    let mut accounts = truth();
    for call in &mut accounts.calls {
        call.answered = None;
    }
    accounts.calls.push(Call {
        caller: "ana".to_owned(),
        asked: Asked::Act(reply("lost", 6)),
        begun: 7,
        answered: None,
    });
    let violations = check(&accounts);
    assert!(violations.is_empty(), "{violations:?}");
}

#[test]
fn after_an_outage_many_calls_went_unanswered_at_once() {
    let contents: Vec<String> = (2..14).map(|number| number.to_string()).collect();
    let replies = contents.iter().zip(2..);
    let replies = replies.map(|(content, request)| ("ben", reply(content, request)));
    let first = [("ana", send("plans", "one", 1))];
    let mut accounts = truth_of(first.into_iter().chain(replies));
    accounts.calls.pop().expect("the last call reads");
    let mark = accounts.calls[0].clone();
    let marks = (0..12).map(|_| Call {
        asked: Asked::Act(Action::MarkUnread(0)),
        ..mark.clone()
    });
    accounts.calls.extend(marks);
    for call in &mut accounts.calls {
        call.begun = 0;
        call.answered = None;
    }
    // Nor is there a log that would tell.
    accounts.watched.clear();
    let violations = check(&accounts);
    assert!(violations.is_empty(), "{violations:?}");
}

#[test]
fn a_retry_is_answered_with_the_message_as_it_is_now() {
    let mut accounts = truth();
    let mut first = accounts.calls[1].clone();
    first.answered = None;
    let Some((_, Told::Read(_, messages))) = &accounts.calls[9].answered else {
        panic!("the last call reads");
    };
    let edited = messages.iter().find(|message| message.name.number == 2);
    let edited = edited.expect("it is there").clone();
    let view = accounts.kept.threads[&0].views["ben"].clone();
    let told = Told::Answer(Answer::Sent(edited, view));
    tell(&mut accounts, "ben", Asked::Act(reply("two", 2)), told);
    accounts.calls[1] = first;
    let violations = check(&accounts);
    assert!(violations.is_empty(), "{violations:?}");
}

#[test]
fn what_would_change_nothing_here_may_change_something_later() {
    // Restored after it was deleted, which was answered as it would have been before.
    let mut accounts = truth();
    accounts.calls[5].begun = 50;
    accounts.calls[5].answered.as_mut().expect("it was").0 = 78;
    accounts.calls[7].begun = 40;
    accounts.calls[6].answered = None;
    let violations = check(&accounts);
    assert!(violations.is_empty(), "{violations:?}");
}

#[test]
fn what_overlaps_may_have_happened_in_the_order_that_the_log_has() {
    // Restored first or deleted first, it is deleted in the end: only the log tells how.
    let mut accounts = truth_of([
        ("ana", send("plans", "one", 1)),
        ("ana", Action::Delete(0)),
        ("ana", Action::Restore(0)),
        ("ana", Action::Delete(0)),
        ("ben", reply("two", 2)),
    ]);
    accounts.calls[1].answered.as_mut().expect("it was").0 = 28;
    accounts.calls[2].begun = 12;
    let violations = check(&accounts);
    assert!(violations.is_empty(), "{violations:?}");
}

#[rstest]
#[case::an_acknowledged_message_is_lost(Rule::Kept, |all: &mut Accounts| {
    kept_messages(all).pop();
})]
#[case::an_acknowledged_thread_is_lost(Rule::Kept, |all: &mut Accounts| {
    all.kept.threads.remove(&1);
})]
#[case::an_edit_is_lost(Rule::Kept, |all: &mut Accounts| {
    let told = all.calls.iter_mut().find_map(|call| match &mut call.answered {
        Some((_, Told::Answer(Answer::Sent(message, _)))) => Some(message),
        _ => None,
    });
    told.expect("something was sent").revision = 2;
})]
#[case::a_message_is_of_somebody_else(Rule::Kept, |all: &mut Accounts| {
    kept_messages(all)[0].sender = "ben".to_owned();
})]
#[case::a_retry_has_made_a_second_message(Rule::Once, |all: &mut Accounts| {
    let mut again = kept_messages(all)[0].clone();
    again.name.number = 5;
    kept_messages(all).push(again);
})]
#[case::a_request_was_told_of_two_messages(Rule::Once, |all: &mut Accounts| {
    let mut again = all.calls[1].clone();
    if let Some((_, Told::Answer(Answer::Sent(message, _)))) = &mut again.answered {
        message.name.number = 3;
    }
    all.calls.push(again);
})]
#[case::a_request_has_made_two_messages_that_were_edited_since(Rule::Once, |all: &mut Accounts| {
    let watched = all.watched.iter_mut();
    for saw in watched.flat_map(|watched| watched.stretches.iter_mut().flatten()) {
        if let Delivery::Sent { request: Some(request), .. } = &mut saw.delivery {
            *request = 1;
        }
    }
})]
#[case::two_requests_were_told_of_one_message(Rule::Once, |all: &mut Accounts| {
    all.calls[4].answered = all.calls[1].answered.clone();
})]
#[case::a_message_that_nobody_has_sent(Rule::Once, |all: &mut Accounts| {
    kept_messages(all)[3].content = "spam".to_owned();
})]
#[case::a_number_is_left_out(Rule::Numbered, |all: &mut Accounts| {
    kept_messages(all).remove(1);
})]
#[case::a_number_is_given_twice(Rule::Numbered, |all: &mut Accounts| {
    kept_messages(all)[1].name.number = 1;
})]
#[case::a_thread_counts_more_than_there_is(Rule::Numbered, |all: &mut Accounts| {
    kept_view(all).thread.message_count += 1;
})]
#[case::a_message_is_older_than_the_one_before_it(Rule::Timed, |all: &mut Accounts| {
    kept_messages(all)[0].send_time += 1;
})]
#[case::an_edit_is_older_than_its_message(Rule::Timed, |all: &mut Accounts| {
    kept_messages(all)[1].edit_time = Some(-1);
})]
#[case::the_log_lacks_a_message(Rule::Logged, |all: &mut Accounts| {
    each_watcher(all, |stretch| stretch.retain(|saw| saw.token != "token 5"));
})]
#[case::the_log_lacks_an_edit(Rule::Logged, |all: &mut Accounts| {
    each_watcher(all, |stretch| stretch.retain(|saw| saw.token != "token 4"));
})]
#[case::the_log_has_a_message_that_is_not_kept(Rule::Logged, |all: &mut Accounts| {
    all.kept.threads.remove(&1);
})]
#[case::an_event_tells_of_what_was_before_it(Rule::Logged, |all: &mut Accounts| {
    each_watcher(all, |stretch| {
        for saw in stretch {
            if let Delivery::Edited { message, .. } = &mut saw.delivery {
                message.revision = 1;
            }
        }
    });
})]
#[case::a_watcher_misses_an_event(Rule::Watched, |all: &mut Accounts| {
    all.watched[1].stretches[0].remove(2);
})]
#[case::a_watcher_misses_the_last_event(Rule::Watched, |all: &mut Accounts| {
    all.watched[3].stretches[0].pop();
})]
#[case::a_watcher_sees_an_event_twice(Rule::Watched, |all: &mut Accounts| {
    let again = all.watched[2].stretches[0][1].clone();
    all.watched[2].stretches[0].insert(2, again);
})]
#[case::a_watcher_sees_events_out_of_order(Rule::Watched, |all: &mut Accounts| {
    all.watched[1].stretches[0].swap(3, 4);
})]
#[case::a_watcher_sees_what_is_not_his(Rule::Watched, |all: &mut Accounts| {
    let of_ana = all.watched[0].stretches[0][2].clone();
    assert!(matches!(of_ana.delivery, Delivery::Changed { .. }));
    all.watched[3].stretches[0].insert(2, of_ana);
})]
#[case::something_is_skipped_after_a_token_has_expired(Rule::Watched, |all: &mut Accounts| {
    all.may_expire = true;
    let rest = all.watched[2].stretches[0].split_off(3);
    all.watched[2].stretches.push(rest);
    all.watched[2].stretches[1].remove(1);
})]
#[case::a_token_expires_too_early(Rule::NotExpired, |all: &mut Accounts| {
    let rest = all.watched[2].stretches[0].split_off(3);
    all.watched[2].stretches.push(rest);
})]
#[case::a_reader_does_not_see_what_was_answered_before(Rule::Linearizable, |all: &mut Accounts| {
    if let Some((_, Told::Read(view, messages))) = &mut all.calls[9].answered {
        messages.remove(0);
        view.thread.message_count -= 1;
        view.last_sender = "ben".to_owned();
        view.snippet = "four".to_owned();
    }
})]
#[case::a_reader_sees_a_stale_revision(Rule::Linearizable, |all: &mut Accounts| {
    if let Some((_, Told::Read(_, messages))) = &mut all.calls[9].answered {
        messages[2].revision = 1;
    }
})]
#[case::a_read_mark_moves_back(Rule::Linearizable, |all: &mut Accounts| {
    if let Some((_, Told::Read(view, _))) = &mut all.calls[9].answered {
        view.read_number -= 1;
    }
})]
#[case::a_mark_is_answered_and_not_kept(Rule::Linearizable, |all: &mut Accounts| {
    let view = all.kept.threads.get_mut(&0).and_then(|thread| thread.views.get_mut("ana"));
    view.expect("ana has a view").read_number = 1;
})]
#[case::a_view_lies_elsewhere_than_was_told(Rule::Linearizable, |all: &mut Accounts| {
    let view = all.kept.threads.get_mut(&0).and_then(|thread| thread.views.get_mut("ana"));
    view.expect("ana has a view").placement = Placement::Deleted;
})]
#[case::a_change_is_in_the_log_twice(Rule::Linearizable, |all: &mut Accounts| {
    each_watcher(all, |stretch| {
        let again = stretch.iter().position(|saw| saw.token == "token 3");
        if let Some(place) = again {
            let mut again = stretch[place].clone();
            again.token = "token 3 again".to_owned();
            stretch.insert(place + 1, again);
        }
    });
})]
#[case::a_change_is_not_in_the_log(Rule::Linearizable, |all: &mut Accounts| {
    each_watcher(all, |stretch| stretch.retain(|saw| saw.token != "token 3"));
})]
#[case::a_call_takes_effect_before_one_that_was_answered_before_it(
    Rule::Linearizable,
    |all: &mut Accounts| {
        // Alone each thread is in order.
        let early = all.calls[6].clone();
        all.calls[6].begun = 81;
        all.calls[6].answered = early.answered.map(|(_, told)| (82, told));
        all.calls[8].begun = 70;
        all.calls[8].answered = all.calls[8].answered.take().map(|(_, told)| (80, told));
    }
)]
#[case::a_summary_counts_wrong(Rule::Counted, |all: &mut Accounts| {
    let summary = all.kept.summaries.get_mut("ben");
    summary.expect("ben has counts").unread_messages += 1;
})]
#[case::a_view_counts_wrong(Rule::Counted, |all: &mut Accounts| {
    kept_view(all).unread_count += 1;
})]
#[case::the_check_finds_something(Rule::Counted, |all: &mut Accounts| {
    all.kept.disagreements.push("a count is wrong".to_owned());
})]
#[case::a_call_fails_for_no_reason(Rule::Explained, |all: &mut Accounts| {
    all.unexplained.push("INTERNAL".to_owned());
})]
fn a_lie_is_found_out(#[case] rule: Rule, #[case] forge: fn(&mut Accounts)) {
    let mut accounts = truth();
    forge(&mut accounts);
    let violations = check(&accounts);
    assert!(
        violations.iter().any(|violation| violation.rule == rule),
        "{rule:?} has not found it: {violations:?}"
    );
}

fn kept_messages(accounts: &mut Accounts) -> &mut Vec<crate::reference::MessageSeen> {
    let thread = accounts.kept.threads.get_mut(&0);
    &mut thread.expect("there is a thread").messages
}

fn kept_view(accounts: &mut Accounts) -> &mut crate::reference::View {
    let thread = accounts.kept.threads.get_mut(&0);
    let views = &mut thread.expect("there is a thread").views;
    views.get_mut("ana").expect("ana takes part")
}

fn each_watcher(accounts: &mut Accounts, forge: impl Fn(&mut Vec<Saw>)) {
    for watched in &mut accounts.watched {
        forge(&mut watched.stretches[0]);
    }
}
