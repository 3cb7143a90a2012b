/**
 * The conformance suite of the `VectorIndex` contract: what every store must do, told through the
 * contract alone. Run it over an implementation from a test file of that implementation.
 */
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import type { Hit, VectorIndex } from '../../actors/storage/vector-index.ts';
import { DIMENSIONS, hashOf, OPTIONS, problemsOf, randomFrom, rowsOf, runOver, sampleFile, sampleFiles, segmentsOf, unitVector, vectorOf, visibleRows } from './sample.ts';
import { closing, scratchIndex } from './scratch.ts';

const listed = (file: ReturnType<typeof sampleFile>): { path: string; hash: string } => ({ path: file.path, hash: hashOf(file) });
const withCode = (code: string): unknown => expect.objectContaining({ name: 'SpillwayError', code });

export function describeVectorIndex(name: string, index: VectorIndex): void {
  describe(`${name}: publication`, () => {
    it('shows nothing of a run before its publication and all of it afterwards', () => {
      const dir = scratchIndex();
      const files = sampleFiles(20);
      const writer = closing(index.openWriter(dir, OPTIONS));
      expect(writer.begin({ runId: 'a' })).toEqual({ generation: 1, resumed: false });
      const reader = closing(index.openReader(dir));
      expect(writer.compare(files.map(listed))).toEqual(files.map(() => 'new'));
      for (const file of files) {
        writer.put(segmentsOf(file));
        expect(reader.status()).toMatchObject({ generation: 0, files: 0, chunks: 0, publishedAt: null });
        expect(reader.search(vectorOf('any'), 10)).toEqual([]);
      }
      expect(reader.status().building).toEqual({ generation: 1, files: 20, chunks: rowsOf(files).length });
      expect(writer.publish()).toEqual({ generation: 1, changed: true, files: 20, chunks: rowsOf(files).length, removedChunks: 0, incompleteFiles: 0 });
      expect(visibleRows(index, dir)).toEqual(rowsOf(files));
      expect(reader.status()).toMatchObject({ generation: 1, files: 20, model: OPTIONS.model, settings: OPTIONS.settings, root: OPTIONS.root });
      expect(reader.status().building).toBeUndefined();
    });

    it('asks for nothing and publishes nothing new when no file changed', () => {
      const dir = scratchIndex();
      const files = sampleFiles(12);
      runOver(index, dir, files);
      expect(runOver(index, dir, files)).toMatchObject({ generation: 1, changed: false, sent: [], files: 12, removedChunks: 0 });
      expect(visibleRows(index, dir)).toEqual(rowsOf(files));
    });

    it('replaces the chunks of a changed file, however many it has now', () => {
      const dir = scratchIndex();
      const files = sampleFiles(9);
      runOver(index, dir, files);
      const later = files.map((file, number) => (number === 4 ? { ...file, content: 'second', chunkCount: 2 } : file));
      expect(runOver(index, dir, later)).toMatchObject({ generation: 2, changed: true, sent: [files[4]!.path], removedChunks: files[4]!.chunkCount });
      expect(visibleRows(index, dir)).toEqual(rowsOf(later));
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('shows the former content of a changed file until the publication', () => {
      const dir = scratchIndex();
      const file = sampleFile(3);
      runOver(index, dir, [file]);
      const changed = { ...file, content: 'second' };
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'b' });
      expect(writer.compare([listed(changed)])).toEqual(['changed']);
      writer.put(segmentsOf(changed));
      expect(visibleRows(index, dir)).toEqual(rowsOf([file]));
      writer.publish();
      expect(visibleRows(index, dir)).toEqual(rowsOf([changed]));
    });

    it('remembers a file without chunks', () => {
      const dir = scratchIndex();
      const empty = sampleFile(1, 'nothing', 0);
      expect(runOver(index, dir, [empty])).toMatchObject({ files: 1, chunks: 0, sent: [empty.path] });
      expect(runOver(index, dir, [empty])).toMatchObject({ changed: false, sent: [] });
    });

    it('publishes an index without files, so that an empty folder can be searched', () => {
      const dir = scratchIndex();
      expect(runOver(index, dir, [])).toMatchObject({ generation: 1, changed: true, files: 0 });
      expect(visibleRows(index, dir)).toEqual([]);
    });
  });

  describe(`${name}: removal`, () => {
    it('removes the files that a run has not seen', () => {
      const dir = scratchIndex();
      const files = sampleFiles(10);
      runOver(index, dir, files);
      expect(runOver(index, dir, files.slice(3))).toMatchObject({ generation: 2, files: 7, removedChunks: rowsOf(files.slice(0, 3)).length });
      expect(visibleRows(index, dir)).toEqual(rowsOf(files.slice(3)));
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('removes only under the prefixes that were walked, and takes no sibling for a child', () => {
      const dir = scratchIndex();
      const paths = ['docs', 'docs/a.md', 'docs/deep/b.md', 'docs-old/c.md', 'docs2/e.md', 'docs.md', 'src/d.ts'];
      const files = paths.map((path) => ({ path, content: 'x', chunkCount: 1 }));
      runOver(index, dir, files.slice(1));
      runOver(index, dir, [], { prefixes: ['docs/'] });
      expect(visibleRows(index, dir)).toEqual(rowsOf(files.slice(3)));
      expect(runOver(index, dir, [], { prefixes: ['docs.md', 'src'] }).files).toBe(2);
    });

    it('keeps what a touched file has and ends what a dropped file has', () => {
      const dir = scratchIndex();
      const [kept, gone, lost] = [sampleFile(1), sampleFile(2), sampleFile(3)];
      runOver(index, dir, [kept, gone, lost]);
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'b' });
      writer.touch([kept.path]);
      expect(writer.drop([gone.path, 'never/there.md'])).toBe(1);
      expect(writer.removeUnseen()).toBe(1);
      writer.publish();
      expect(visibleRows(index, dir)).toEqual(rowsOf([kept]));
    });

    it('lets a file that comes back within the run stay', () => {
      const dir = scratchIndex();
      const file = sampleFile(2);
      runOver(index, dir, [file]);
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'b' });
      expect(writer.removeUnseen()).toBe(1);
      expect(writer.compare([listed(file)])).toEqual(['unchanged']);
      expect(writer.publish()).toMatchObject({ changed: false, files: 1 });
    });
  });

  describe(`${name}: segments`, () => {
    it('accepts the segments of a file in any order, and each any number of times', () => {
      const dir = scratchIndex();
      const file = sampleFile(4, 'first', 7);
      const segments = segmentsOf(file).toReversed();
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'a' });
      expect(writer.put([segments[0]!, segments[0]!])).toEqual({ storedChunks: 1, repeatedChunks: 1, completedFiles: 0 });
      expect(writer.compare([listed(file)])).toEqual(['new']);
      expect(writer.put(segments)).toEqual({ storedChunks: 6, repeatedChunks: 1, completedFiles: 1 });
      expect(writer.compare([listed(file)])).toEqual(['unchanged']);
      expect(writer.put(segments)).toEqual({ storedChunks: 0, repeatedChunks: 7, completedFiles: 0 });
      writer.publish();
      writer.begin({ runId: 'a' });
      expect(writer.put(segments)).toEqual({ storedChunks: 0, repeatedChunks: 7, completedFiles: 0 });
      expect(writer.publish()).toMatchObject({ generation: 1, changed: false });
      expect(visibleRows(index, dir)).toEqual(rowsOf([file]));
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('does not publish a file of which segments are missing, and keeps its former version', () => {
      const dir = scratchIndex();
      const file = sampleFile(4, 'first', 5);
      runOver(index, dir, [file]);
      const changed = { ...file, content: 'second' };
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'b' });
      writer.compare([listed(changed)]);
      writer.put(segmentsOf(changed).slice(1));
      writer.removeUnseen();
      expect(writer.publish()).toMatchObject({ generation: 1, changed: false, incompleteFiles: 1 });
      expect(visibleRows(index, dir)).toEqual(rowsOf([file]));
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('starts a file anew when it changes again within a run', () => {
      const dir = scratchIndex();
      const [second, third] = ['second', 'third'].map((content) => sampleFile(4, content, 5));
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'a' });
      writer.put(segmentsOf(second!).slice(1));
      writer.put(segmentsOf(third!));
      expect(writer.publish()).toMatchObject({ files: 1, chunks: 5, incompleteFiles: 0 });
      expect(visibleRows(index, dir)).toEqual(rowsOf([third!]));
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('starts a file anew when the same content comes in another number of chunks', () => {
      const dir = scratchIndex();
      const file = sampleFile(4, 'first', 5);
      const hash = hashOf(file);
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'a' });
      writer.put(segmentsOf(file));
      const replanned = segmentsOf({ ...file, chunkCount: 3 }).map((segment) => ({ ...segment, hash }));
      expect(writer.put(replanned)).toEqual({ storedChunks: 3, repeatedChunks: 0, completedFiles: 1 });
      expect(writer.publish()).toMatchObject({ files: 1, chunks: 3 });
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('publishes nothing for a file that changed and changed back within a run', () => {
      const dir = scratchIndex();
      const file = sampleFile(4, 'first', 5);
      runOver(index, dir, [file]);
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'b' });
      writer.put(segmentsOf({ ...file, content: 'second' }));
      expect(writer.compare([listed(file)])).toEqual(['unchanged']);
      expect(writer.publish()).toMatchObject({ generation: 1, changed: false });
      expect(visibleRows(index, dir)).toEqual(rowsOf([file]));
    });

    it('refuses vectors of another length or without a direction, and stores nothing of the batch', () => {
      const dir = scratchIndex();
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'a' });
      const [good, bad] = [segmentsOf(sampleFile(0)), segmentsOf(sampleFile(1))];
      expect(() => writer.put([...good, { ...bad[0]!, vectors: new Float32Array(3) }])).toThrow(withCode('dimension_mismatch'));
      for (const value of [0, Number.NaN, Infinity]) {
        const vectors = bad[0]!.vectors.slice().fill(value, DIMENSIONS);
        expect(() => writer.put([...good, { ...bad[0]!, vectors }])).toThrow(withCode('vector_invalid'));
      }
      expect(writer.status().building).toBeUndefined();
    });
  });

  describe(`${name}: resumption`, () => {
    it('asks a new run only for the files that the dead one had not stored completely', () => {
      const dir = scratchIndex();
      const files = sampleFiles(10).map((file) => ({ ...file, chunkCount: 5 }));
      const dead = index.openWriter(dir, OPTIONS);
      dead.begin({ runId: 'a' });
      for (const file of files.slice(0, 4)) dead.put(segmentsOf(file));
      dead.put(segmentsOf(files[4]!).slice(0, 2));
      dead.close();

      const writer = closing(index.openWriter(dir, OPTIONS));
      expect(writer.begin({ runId: 'b' })).toEqual({ generation: 1, resumed: true });
      expect(writer.status().building).toEqual({ generation: 1, files: 4, chunks: 20 });
      expect(writer.compare(files.map(listed))).toEqual(files.map((_, number) => (number < 4 ? 'unchanged' : 'new')));
      for (const file of files.slice(4)) writer.put(segmentsOf(file));
      writer.publish();
      expect(visibleRows(index, dir)).toEqual(rowsOf(files));
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('goes on within a run after its writer was reopened: marks and half-stored files stay', () => {
      const dir = scratchIndex();
      const files = sampleFiles(10).map((file) => ({ ...file, chunkCount: 5 }));
      runOver(index, dir, files.slice(0, 5));
      const first = index.openWriter(dir, OPTIONS);
      first.begin({ runId: 'b' });
      first.compare(files.map(listed));
      first.put(segmentsOf(files[5]!).slice(0, 2));
      first.close();

      const second = closing(index.openWriter(dir, OPTIONS));
      expect(second.begin({ runId: 'b' })).toEqual({ generation: 2, resumed: true });
      expect(second.put(segmentsOf(files[5]!).slice(1))).toEqual({ storedChunks: 1, repeatedChunks: 2, completedFiles: 1 });
      for (const file of files.slice(6)) second.put(segmentsOf(file));
      expect(second.removeUnseen()).toBe(0);
      second.publish();
      expect(visibleRows(index, dir)).toEqual(rowsOf(files));
    });

    it('takes back what a dead run ended', () => {
      const dir = scratchIndex();
      const files = sampleFiles(6);
      runOver(index, dir, files);
      const dead = index.openWriter(dir, OPTIONS);
      dead.begin({ runId: 'b' });
      expect(dead.removeUnseen()).toBe(6);
      dead.close();
      expect(runOver(index, dir, files.slice(0, 5))).toMatchObject({ generation: 2, files: 5, sent: [] });
      expect(visibleRows(index, dir)).toEqual(rowsOf(files.slice(0, 5)));
    });

    it('takes it back also for files outside the prefixes walked now', () => {
      const dir = scratchIndex();
      const files = sampleFiles(6);
      runOver(index, dir, files);
      const dead = index.openWriter(dir, OPTIONS);
      dead.begin({ runId: 'b' });
      dead.removeUnseen();
      dead.close();
      const changed = files.map((file) => (file.path.startsWith('folder-0') ? { ...file, content: 'second' } : file));
      expect(runOver(index, dir, changed.filter(({ content }) => content === 'second'), { prefixes: ['folder-0'] })).toMatchObject({ generation: 2, files: 6 });
      expect(visibleRows(index, dir)).toEqual(rowsOf(changed));
    });

    it('forgets what a dead run stored for a file that is back to its published content or gone', () => {
      const dir = scratchIndex();
      const file = sampleFile(4);
      runOver(index, dir, [file]);
      const dead = index.openWriter(dir, OPTIONS);
      dead.begin({ runId: 'b' });
      dead.put([...segmentsOf({ ...file, content: 'second' }), ...segmentsOf(sampleFile(5))]);
      dead.close();
      expect(runOver(index, dir, [file])).toMatchObject({ generation: 1, changed: false, sent: [], files: 1 });
      expect(closing(index.openReader(dir)).status().building).toBeUndefined();
      expect(visibleRows(index, dir)).toEqual(rowsOf([file]));
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('does not publish what a dead run stored outside the prefixes walked now, and does not lose it either', () => {
      const dir = scratchIndex();
      const [here, there] = [sampleFile(0), sampleFile(1)];
      const dead = index.openWriter(dir, OPTIONS);
      dead.begin({ runId: 'a' });
      dead.put(segmentsOf(there));
      dead.close();
      expect(runOver(index, dir, [here], { prefixes: ['folder-0'] })).toMatchObject({ generation: 1, files: 1 });
      expect(visibleRows(index, dir)).toEqual(rowsOf([here]));
      expect(runOver(index, dir, [here, there])).toMatchObject({ generation: 2, files: 2, sent: [] });
      expect(visibleRows(index, dir)).toEqual(rowsOf([here, there]));
    });
  });

  describe(`${name}: rollback`, () => {
    it('shows the former generation again, once', () => {
      const dir = scratchIndex();
      const files = sampleFiles(8);
      const later = [...files.slice(2, 5), ...files.slice(5).map((file) => ({ ...file, content: 'second' })), sampleFile(20)];
      runOver(index, dir, files, { now: () => 1000 });
      runOver(index, dir, later, { now: () => 2000 });
      const writer = closing(index.openWriter(dir, OPTIONS));
      expect(writer.rollback()).toEqual({ generation: 1 });
      expect(visibleRows(index, dir)).toEqual(rowsOf(files));
      expect(writer.status()).toMatchObject({ generation: 1, publishedAt: new Date(1000).toISOString() });
      expect(problemsOf(index, dir)).toEqual([]);
      expect(() => writer.rollback()).toThrow(withCode('rollback_unavailable'));
    });

    it('lets the next run publish again what was rolled back, without sending it', () => {
      const dir = scratchIndex();
      const files = sampleFiles(8);
      const later = files.slice(1).map((file) => ({ ...file, content: 'second' }));
      runOver(index, dir, files);
      runOver(index, dir, later);
      const writer = index.openWriter(dir, OPTIONS);
      writer.rollback();
      writer.close();
      expect(runOver(index, dir, later)).toMatchObject({ generation: 2, changed: true, sent: [] });
      expect(visibleRows(index, dir)).toEqual(rowsOf(later));
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('discards the unfinished run that was built on the generation rolled back', () => {
      const dir = scratchIndex();
      const file = sampleFile(4);
      runOver(index, dir, [file]);
      runOver(index, dir, [{ ...file, content: 'second' }]);
      const dead = index.openWriter(dir, OPTIONS);
      dead.begin({ runId: 'c' });
      dead.put(segmentsOf({ ...file, content: 'third' }));
      dead.removeUnseen(['folder-2']);
      dead.close();
      const writer = index.openWriter(dir, OPTIONS);
      writer.rollback();
      writer.close();
      expect(visibleRows(index, dir)).toEqual(rowsOf([file]));
      expect(problemsOf(index, dir)).toEqual([]);
      expect(runOver(index, dir, [{ ...file, content: 'third' }]).sent).toEqual([file.path]);
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('has nothing to go back to after the first publication', () => {
      const dir = scratchIndex();
      runOver(index, dir, sampleFiles(2));
      const writer = closing(index.openWriter(dir, OPTIONS));
      expect(() => writer.rollback()).toThrow(withCode('rollback_unavailable'));
    });
  });

  describe(`${name}: recipe`, () => {
    const other = { model: { name: 'other', sha256: 'b'.repeat(64), dimensions: 24 } };

    it.each([
      ['index_model_mismatch', other],
      ['index_settings_mismatch', { settings: { chunkTokens: 65, overlap: 8 } }],
      ['index_root_mismatch', { root: '/elsewhere' }],
    ])('refuses another recipe with %s, and takes it with rebuild', (code, options) => {
      const dir = scratchIndex();
      runOver(index, dir, sampleFiles(3));
      expect(() => index.openWriter(dir, { ...OPTIONS, ...options })).toThrow(withCode(code));
      expect(runOver(index, dir, sampleFiles(3), { ...options, rebuild: true })).toMatchObject({ generation: 2, files: 3, sent: { length: 3 } });
      expect(closing(index.openReader(dir)).status()).toMatchObject({ ...OPTIONS, ...options });
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('names both models when it refuses one', () => {
      const dir = scratchIndex();
      runOver(index, dir, []);
      expect(() => index.openWriter(dir, { ...OPTIONS, ...other })).toThrow(/sample \(16 dimensions.*other \(24 dimensions.*--rebuild/);
    });

    it('takes equal settings in another order of keys', () => {
      const dir = scratchIndex();
      runOver(index, dir, []);
      expect(runOver(index, dir, [], { settings: { overlap: 8, chunkTokens: 64 } }).changed).toBe(false);
    });

    it('keeps the old generation searchable with its model until the rebuild is published', () => {
      const dir = scratchIndex();
      const files = sampleFiles(6);
      runOver(index, dir, files);
      const reader = closing(index.openReader(dir));
      const writer = closing(index.openWriter(dir, { ...OPTIONS, ...other, rebuild: true }));
      writer.begin({ runId: 'b' });
      expect(writer.compare(files.map(listed))).toEqual(files.map(() => 'changed'));
      for (const file of files.slice(0, 4)) writer.put(segmentsOf(file, 2, 24));
      expect(reader.search(vectorOf('any'), 1000)).toHaveLength(rowsOf(files).length);
      writer.publish();
      expect(() => reader.search(vectorOf('any'), 1)).toThrow(withCode('index_model_mismatch'));
      expect(visibleRows(index, dir, 24)).toEqual(rowsOf(files.slice(0, 4)));
      writer.rollback();
      expect(visibleRows(index, dir)).toEqual(rowsOf(files));
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('embeds everything again when the recipe is the same, and continues such a rebuild after a crash', () => {
      const dir = scratchIndex();
      const files = sampleFiles(6);
      runOver(index, dir, files);
      const dead = index.openWriter(dir, { ...OPTIONS, rebuild: true });
      dead.begin({ runId: 'b' });
      expect(dead.compare(files.map(listed))).toEqual(files.map(() => 'changed'));
      dead.put(files.slice(0, 4).flatMap((file) => segmentsOf(file)));
      dead.close();
      expect(runOver(index, dir, files, { rebuild: true })).toMatchObject({ generation: 2, sent: files.slice(4).map((file) => file.path) });
      expect(visibleRows(index, dir)).toEqual(rowsOf(files));
      expect(problemsOf(index, dir)).toEqual([]);
    });

    it('drops an abandoned rebuild when the next run goes on with the published model', () => {
      const dir = scratchIndex();
      const files = sampleFiles(6);
      runOver(index, dir, files);
      const dead = index.openWriter(dir, { ...OPTIONS, ...other, rebuild: true });
      dead.begin({ runId: 'b' });
      for (const file of files) dead.put(segmentsOf(file, 2, 24));
      dead.close();
      expect(runOver(index, dir, files)).toMatchObject({ generation: 1, changed: false, sent: [] });
      expect(closing(index.openReader(dir)).status().building).toBeUndefined();
      expect(problemsOf(index, dir)).toEqual([]);
    });
  });

  describe(`${name}: search`, () => {
    it('equals a brute-force scan over the visible chunks, also when most chunks are not visible', () => {
      const dir = scratchIndex();
      const files = sampleFiles(120).map((file) => ({ ...file, chunkCount: 6 }));
      runOver(index, dir, files);
      const changed = files.map((file, number) => (number % 10 === 0 ? file : { ...file, content: 'second' }));
      const visible = changed.slice(0, 60);
      runOver(index, dir, visible);
      // Now most stored chunks are former versions, or unpublished ones like these.
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'c' });
      for (const file of files) writer.put(segmentsOf({ ...file, content: 'third' }, 6));

      const reader = closing(index.openReader(dir));
      const candidates = visible.flatMap((file) => segmentsOf(file, 6).flatMap(({ path, chunks }) => chunks.map(({ ordinal, id }) => ({ path, ordinal, id, vector: vectorOf(id) }))));
      const random = randomFrom(42);
      for (const limit of [1, 10, 100, 1000]) {
        const query = unitVector(random);
        const expected = candidates
          .map(({ path, ordinal, id, vector }) => ({ path, ordinal, id, score: vector.reduce((sum, value, i) => sum + value * query[i]!, 0) }))
          .sort((a, b) => b.score - a.score)
          .slice(0, limit);
        const hits = reader.search(query, limit);
        expect(hits.map(({ path, ordinal, id }) => [path, ordinal, id])).toEqual(expected.map(({ path, ordinal, id }) => [path, ordinal, id]));
        for (const [i, hit] of hits.entries()) expect(hit.score).toBeCloseTo(expected[i]!.score, 5);
      }
    });

    it('returns ranges, text and a score of one for the chunk itself', () => {
      const dir = scratchIndex();
      const file = sampleFile(4);
      runOver(index, dir, sampleFiles(9));
      const chunk = segmentsOf(file)[1]!.chunks[0]!;
      const hit = closing(index.openReader(dir)).search(vectorOf(chunk.id), 1)[0];
      expect(hit).toEqual({ ...chunk, path: file.path, score: expect.closeTo(1, 5) } satisfies Record<keyof Hit, unknown>);
    });

    it('orders equal scores by path and ordinal', () => {
      const dir = scratchIndex();
      const vector = vectorOf('same');
      const writer = closing(index.openWriter(dir, OPTIONS));
      writer.begin({ runId: 'a' });
      for (const number of [5, 2, 8, 1]) {
        for (const segment of segmentsOf(sampleFile(number, 'first', 3), 1).toReversed()) writer.put([{ ...segment, vectors: vector }]);
      }
      writer.publish();
      const hits = closing(index.openReader(dir)).search(vector, 7);
      const places = [5, 2, 8, 1].flatMap((number) => [0, 1, 2].map((ordinal) => `${sampleFile(number).path} ${ordinal}`));
      expect(hits.map(({ path, ordinal }) => `${path} ${ordinal}`)).toEqual(places.sort().slice(0, 7));
    });

    it('refuses a query of another dimension, without a direction, or for too many hits', () => {
      const dir = scratchIndex();
      runOver(index, dir, sampleFiles(2));
      const reader = closing(index.openReader(dir));
      expect(() => reader.search(new Float32Array(7).fill(1), 5)).toThrow(withCode('dimension_mismatch'));
      expect(() => reader.search(new Float32Array(DIMENSIONS), 5)).toThrow(withCode('vector_invalid'));
      for (const limit of [0, 1.5, 1001]) expect(() => reader.search(vectorOf('any'), limit)).toThrow(/limit/);
    });
  });

  describe(`${name}: opening`, () => {
    it('says how to make an index that is missing', () => {
      expect(() => index.openReader(scratchIndex())).toThrow(withCode('index_missing'));
    });

    it('refuses a second writer within the process and lets it in after the first closed', () => {
      const dir = scratchIndex();
      const first = closing(index.openWriter(dir, OPTIONS));
      expect(() => index.openWriter(dir, OPTIONS)).toThrow(withCode('index_locked'));
      expect(first.begin({ runId: 'a' }).generation).toBe(1);
      first.close();
      first.close();
      closing(index.openWriter(dir, OPTIONS));
    });

    it('moves together with its root', () => {
      const base = scratchIndex();
      mkdirSync(base);
      const [before, after] = [join(base, 'before'), join(base, 'after')];
      const files = sampleFiles(4);
      runOver(index, join(before, '.spillway'), files, { root: before });
      renameSync(before, after);
      expect(runOver(index, join(after, '.spillway'), files, { root: after })).toMatchObject({ changed: false, sent: [] });
      expect(closing(index.openReader(join(after, '.spillway'))).status().root).toBe(after);
    });

    it('asserts that a writer begins a run before it writes, and is not used after it closed', () => {
      const writer = index.openWriter(scratchIndex(), OPTIONS);
      expect(() => writer.compare([])).toThrow(/begin/);
      expect(() => writer.publish()).toThrow(/begin/);
      writer.close();
      expect(() => writer.status()).toThrow(/closed/);
    });
  });
}
