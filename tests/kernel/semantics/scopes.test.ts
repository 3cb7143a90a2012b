/** Cancel scopes and fences: docs/reference/semantics.md. */
import { describe, expect, test } from 'vitest';
import { PLACEMENTS, useStage } from './stage.ts';

const stage = useStage();

describe.each(PLACEMENTS)('with an actor that is %s', (placement) => {
  test('[S88] a cancel ends the asks of its scope and of those below it, and of no other', async () => {
    const { sender, subject } = await stage.pair(placement);
    await stage.begin(sender, subject, 'busy');
    await sender.do('openScope', 'cancelled');
    await sender.do('openChildScope', 'below', 'cancelled');
    await sender.do('openScope', 'other');
    const asks = ['cancelled', 'below', 'other'].map((scope) => sender.ask(subject, 'echo', { text: scope }, { scope }));
    await sender.do('life');
    expect(await sender.do('cancelScope', 'cancelled')).toBe(true);
    expect(await Promise.all(asks.slice(0, 2))).toMatchObject([{ code: 'ask_cancelled', mayHaveBeenHandled: true }, { code: 'ask_cancelled', mayHaveBeenHandled: true }]);
    await subject.do('release', 'busy');
    expect(await asks[2]).toMatchObject({ answer: { text: 'other' } });
    expect(await subject.log()).toEqual(['hold busy', 'released busy', 'echo other']);
  });

  test('[S89] once a cancel is accepted, no waiting message of the scope is handled', async () => {
    const { sender, subject } = await stage.pair(placement);
    await stage.begin(sender, subject, 'busy');
    await sender.do('openScope', 'it');
    await sender.tell(subject, 'note', { number: 1 }, { scope: 'it' });
    await sender.tell(subject, 'note', { number: 2 });
    await sender.do('cancelScope', 'it');
    // What is told of the cancel is control, as this is.
    await sender.ask(subject, 'urgentEcho', { text: '' });
    await subject.do('release', 'busy');
    expect(await subject.logged(3)).toEqual(['hold busy', 'released busy', 'note 2']);
  });

  test('[S90] a handler that runs sees the cancel', async () => {
    const { sender, subject } = await stage.pair(placement);
    await sender.do('openScope', 'it');
    const { outcome } = await stage.begin(sender, subject, 'busy', { scope: 'it' });
    await sender.do('cancelScope', 'it');
    expect(await outcome).toMatchObject({ code: 'ask_cancelled', mayHaveBeenHandled: true });
    await sender.ask(subject, 'urgentEcho', { text: '' });
    await subject.do('release', 'busy');
    await subject.hasLogged('released busy cancelled');
  });

  test('[S91] a cancel follows the messages of its scope from thread to thread', async () => {
    const { sender, subject } = await stage.pair(placement);
    const last = await stage.thread();
    await stage.link(subject, last);
    await sender.do('openScope', 'it');
    const outcome = sender.ask(subject, 'holdFurther', { to: last.address, key: 'far away' }, { scope: 'it' });
    await last.hasLogged('hold far away');
    await sender.do('cancelScope', 'it');
    expect(await outcome).toMatchObject({ code: 'ask_cancelled', mayHaveBeenHandled: true });
    // Told from thread to thread, it gets there by and by.
    await last.hasLogged('scope of far away cancelled');
    await last.do('release', 'far away');
    await last.hasLogged('released far away cancelled');
  });

  test('[S92] a scope whose deadline passes is cancelled', async () => {
    const { sender, subject } = await stage.pair(placement);
    // Long enough for the ask to have begun within it, whatever else the machine does.
    await sender.do('openScope', 'it', 500);
    const { outcome } = await stage.begin(sender, subject, 'busy', { scope: 'it' });
    expect(await outcome).toMatchObject({ code: 'ask_cancelled', mayHaveBeenHandled: true });
    expect(await sender.do('cancelScope', 'it')).toBe(false);
    await subject.do('release', 'busy');
  });

  test('[S93] a scope that is closed ends as done: what was told in it is handled, what is open below it is cancelled', async () => {
    const { sender, subject } = await stage.pair(placement);
    await stage.begin(sender, subject, 'busy');
    await sender.do('openScope', 'it');
    await sender.do('openChildScope', 'below', 'it');
    await sender.tell(subject, 'note', { number: 1 }, { scope: 'it' });
    const asked = sender.ask(subject, 'echo', { text: 'below' }, { scope: 'below' });
    await sender.do('life');
    await sender.do('closeScope', 'it');
    expect(await asked).toMatchObject({ code: 'ask_cancelled' });
    await sender.ask(subject, 'urgentEcho', { text: '' });
    await subject.do('release', 'busy');
    await subject.hasLogged('note 1');
    expect(await subject.log()).not.toContain('echo below');
  });
});
