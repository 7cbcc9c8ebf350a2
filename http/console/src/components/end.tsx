// One end of a flow: what it is, as an icon, and its name.
import type { End } from '../api/types';
import { visibleText } from '../format/text';
import { Icon, type IconName } from './icon';
import { Text } from './text';

const icons: Record<string, IconName> = { host: 'host', process: 'process', ip: 'ip' };

export function EndName({ end }: { end: End }) {
  return (
    <span class="end" title={`${end.kind}: ${visibleText(end.name)}`}>
      <Icon name={icons[end.kind] ?? 'ip'} />
      <Text value={end.name} />
    </span>
  );
}
