-- From schema 2 to 3.

-- Entries are kept by one number, `place`: their tree's number in the upper bits, their index in it in the lower 40.
-- The newest entries of the tree that was opened last stand at the table's end, where SQLite fills page by page: there
-- a commit writes half as many pages of the table.
CREATE TABLE new_tree (
    number INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 0x7FFFFF),
    tree   TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO new_tree (tree) SELECT tree FROM tree;

-- That its tree is there is held by event_next.
CREATE TABLE new_event (
    place    INTEGER PRIMARY KEY,
    tree     TEXT NOT NULL,
    incident TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    type     TEXT NOT NULL,
    body     BLOB NOT NULL,
    hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO new_event (place, tree, incident, seq, type, body, hash)
SELECT number << 40 | idx, tree, incident, seq, type, body, hash
FROM new_tree CROSS JOIN event USING (tree) WHERE idx BETWEEN 0 AND 0xFFFFFFFFFF ORDER BY number, idx;

-- An entry that stands in no log has no place here: such a file is refused as it is, and not put right in silence.
CREATE TABLE lost (entries INTEGER CHECK (entries = 0)) STRICT;
INSERT INTO lost SELECT (SELECT count(*) FROM event) - (SELECT count(*) FROM new_event);
DROP TABLE lost;

-- These name tables that are exchanged now, and would keep SQLite from renaming the new ones.
DROP TRIGGER node_new;
DROP TRIGGER checkpoint_new;
DROP TRIGGER checkpoint_newer;
DROP TABLE event;
DROP TABLE tree;
ALTER TABLE new_tree RENAME TO tree;
ALTER TABLE new_event RENAME TO event;
CREATE UNIQUE INDEX event_incident ON event (tree, incident, seq);

CREATE TRIGGER tree_new BEFORE INSERT ON tree
WHEN EXISTS (SELECT 1 FROM tree WHERE tree = NEW.tree OR number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'ledger: a tree begins once'); END;
CREATE TRIGGER tree_unchanged BEFORE UPDATE ON tree
BEGIN SELECT RAISE(ABORT, 'ledger: a tree keeps its name and number'); END;
CREATE TRIGGER tree_stays BEFORE DELETE ON tree
BEGIN SELECT RAISE(ABORT, 'ledger: a tree stays'); END;

-- The place of each tree's next entry. A tree's newest entry is never pruned (in no schema: the pruning itself is told
-- by an entry after it), so no place is given twice.
CREATE VIEW next_place AS
SELECT tree, 1 + coalesce(
    (SELECT place FROM event WHERE place BETWEEN number << 40 AND number << 40 | 0xFFFFFFFFFF
     ORDER BY place DESC LIMIT 1),
    (number << 40) - 1) AS place
FROM tree;

CREATE TRIGGER event_next BEFORE INSERT ON event
WHEN NEW.place IS NOT (SELECT place FROM next_place WHERE tree = NEW.tree)
  OR NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM event WHERE tree = NEW.tree AND incident = NEW.incident)
BEGIN SELECT RAISE(ABORT, 'ledger: only the next event can be added'); END;
CREATE TRIGGER event_unchanged BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'ledger: an event never changes'); END;
-- Pruning moves an entry's hash into node, level 0; only then may its body go.
CREATE TRIGGER event_stays BEFORE DELETE ON event
WHEN NOT EXISTS (
      SELECT 1 FROM node
      WHERE tree = OLD.tree AND level = 0 AND idx = OLD.place & 0xFFFFFFFFFF AND hash = OLD.hash)
  OR OLD.place + 1 = (SELECT place FROM next_place WHERE tree = OLD.tree)
BEGIN SELECT RAISE(ABORT, 'ledger: an event stays'); END;

CREATE TRIGGER node_new BEFORE INSERT ON node
WHEN EXISTS (SELECT 1 FROM node WHERE tree = NEW.tree AND level = NEW.level AND idx = NEW.idx)
  OR (NEW.level = 0 AND NOT EXISTS (
      SELECT 1 FROM tree JOIN event ON place = number << 40 | NEW.idx
      WHERE tree.tree = NEW.tree AND NEW.idx BETWEEN 0 AND 0xFFFFFFFFFF AND hash = NEW.hash))
BEGIN SELECT RAISE(ABORT, 'ledger: a node is written once'); END;

CREATE TRIGGER checkpoint_new BEFORE INSERT ON checkpoint
WHEN NEW.size IS NOT (SELECT place & 0xFFFFFFFFFF FROM next_place WHERE tree = NEW.tree)
  OR EXISTS (SELECT 1 FROM checkpoint WHERE tree = NEW.tree)
BEGIN SELECT RAISE(ABORT, 'ledger: a checkpoint is of the whole log and newer than the last'); END;
CREATE TRIGGER checkpoint_newer BEFORE UPDATE ON checkpoint
WHEN NEW.tree <> OLD.tree OR NEW.size <= OLD.size
  OR NEW.size IS NOT (SELECT place & 0xFFFFFFFFFF FROM next_place WHERE tree = NEW.tree)
BEGIN SELECT RAISE(ABORT, 'ledger: a checkpoint only gives way to a newer one, of the whole log'); END;
