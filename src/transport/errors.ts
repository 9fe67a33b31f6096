import { MeanfieldError } from '../base/errors.js';

/** A part of a blob is not stored (any more). */
export class BlobMissingError extends MeanfieldError {
  override name = 'BlobMissingError';
}

/** A blob is not what its reference says. */
export class BlobDamagedError extends MeanfieldError {
  override name = 'BlobDamagedError';
}

/** An owner may not store as much. */
export class QuotaError extends MeanfieldError {
  override name = 'QuotaError';
}

/** Another has set the value since it was read. */
export class StateConflictError extends MeanfieldError {
  override name = 'StateConflictError';
}

/** The coordinator answered a question, and said no; the message is its reason. */
export class RefusedError extends MeanfieldError {
  override name = 'RefusedError';
}
