// The table on screen as a file, straight from the API.
import { apiUrl, type Params } from '../api/client';
import { Icon } from './icon';

export function ExportLinks({ path, params, name }: { path: string; params: Params; name: string }) {
  return (
    <span class="export">
      {['csv', 'json'].map((format) => (
        <a
          key={format}
          class="button"
          href={apiUrl(path, { ...params, format })}
          download={`weir-${name}.${format}`}
          title={`Download as ${format.toUpperCase()}`}
          data-testid={`export-${format}`}
        >
          <Icon name="download" />
          {format.toUpperCase()}
        </a>
      ))}
    </span>
  );
}
