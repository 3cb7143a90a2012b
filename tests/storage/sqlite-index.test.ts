/** The conformance suite over the built-in index. */
import { sqliteIndex } from '../../actors/storage/sqlite-index.ts';
import { describeVectorIndex } from './vector-index.cases.ts';

describeVectorIndex('sqliteIndex', sqliteIndex);
